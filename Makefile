# make demo: the main job; make check: all tests. Both install what is missing (Debian) and build.
# CMAKE_FLAGS=-DKD2M_WERROR=ON and CTEST_FLAGS=-j2, say, reach the configuration and the tests.
PACKAGES = build-essential cmake ninja-build pkg-config libdnnl-dev libopenblas-openmp-dev \
           liblapacke-dev zlib1g-dev libjansson-dev libkissfft-dev libsamplerate0-dev libboost-dev \
           libsqlite3-dev libjpeg62-turbo-dev libcmocka-dev

SUDO = $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: demo check build packages

demo: build
	build/release/bin/kd2m demo --force --out runs/demo

check: build
	ctest --test-dir build/release --output-on-failure $(CTEST_FLAGS)

build: packages
	cmake --preset release $(CMAKE_FLAGS)
	cmake --build build/release

packages:
	@dpkg -s $(PACKAGES) >/dev/null 2>&1 || \
	    { $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(PACKAGES); }
