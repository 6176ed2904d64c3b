#!/usr/bin/env bash
# The installed library, as a stranger meets it: headers, pkg-config, CMake package, SONAME, exports.
#   install.sh KD2M BUILD SOURCE CC
set -eu
build=$2 source=$3 cc=$4
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

cmake --install "$build" --prefix "$prefix" >/dev/null
library=$(find "$prefix" -name 'libkd2m.so')
libraries=$(dirname "$library")
readelf -d "$library" | grep -q 'SONAME.*libkd2m\.so\.0' || fail "no SONAME"
strangers=$(nm -D --defined-only "$library" | awk '$2 ~ /[TDBR]/ && $3 !~ /^kd2m_/ { print $3 }')
[ -z "$strangers" ] || fail "exported by accident: $strangers"
"$prefix/bin/kd2m" --version >/dev/null || fail "the installed command does not run"

# the examples, through pkg-config and through CMake
export LD_LIBRARY_PATH=$libraries PKG_CONFIG_PATH=$libraries/pkgconfig
flags=$(pkg-config --cflags --libs --define-variable=prefix="$prefix" kd2m)
for example in "$source"/examples/*.c; do
    # shellcheck disable=SC2086
    "$cc" -std=c11 -Wall -Wextra -Werror -pedantic "$example" $flags -o "$prefix/example"
    "$prefix/example" "$prefix/runs" || fail "$example"
done
mkdir "$prefix/user"
cat >"$prefix/user/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.22)
project(user C)
find_package(kd2m REQUIRED)
add_executable(user distance.c)
target_link_libraries(user PRIVATE kd2m::kd2m)
END
cp "$source/examples/distance.c" "$prefix/user"
cmake -S "$prefix/user" -B "$prefix/user/build" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_COMPILER="$cc" >/dev/null
cmake --build "$prefix/user/build" >/dev/null
"$prefix/user/build/user" | grep -q '^w2 = 4, ' || fail "the CMake user's figure"

# each public header alone, as C and as C++
for header in "$prefix"/include/kd2m/*.h; do
    name=kd2m/$(basename "$header")
    for language in 'c -std=c11' 'c++ -std=c++11'; do
        # shellcheck disable=SC2086
        printf '#include <%s>\ntypedef int used;\n' "$name" | "$cc" -x $language -Wall -Wextra -Werror -pedantic \
            -I"$prefix/include" -fsyntax-only - || fail "$name as $language"
    done
done

# the README shows the example as it is, and no folder reaches into another by path
sed -n '/^```c$/,/^```$/p' "$source/README.md" | sed '1d;$d' | cmp - "$source/examples/distance.c" ||
    fail "README.md and examples/distance.c differ"
! grep -rn '#include "\.\./' "$source/src" "$source/cli" || fail "an include by path"
