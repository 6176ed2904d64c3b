# For scripts that kill what they have timed: so that their moments fit machines of any speed.

# The time in microseconds.
now() {
    echo "${EPOCHREALTIME//[!0-9]/}"
}

# Sleeps for so many microseconds.
nap() {
    sleep "$(printf '%d.%06d' $(($1 / 1000000)) $(($1 % 1000000)))"
}

# Sleeps for a random time up to so many microseconds.
random_nap() {
    nap $(((RANDOM * 32768 + RANDOM) % $1))
}
