#!/usr/bin/env bash
# A real Kafka broker and an S3 server for tests, on loopback, without a container engine.
# Needs Java 17 or newer, Maven and cargo. Everything it makes lies under target/services.
#
#   docker/services.sh up       start both; prints kafka=, s3=, data=, what the broker's listener
#                               with TLS and SASL needs, and lines for a shell's eval
#   docker/services.sh down     end both; the data stay
#   docker/services.sh status   exit 0 only if both answer
#   docker/services.sh kafka-stop|kafka-kill|kafka-pause|kafka-resume|kafka-start    (also s3-...)
#   docker/services.sh kafka-tool CLASS ARGS..    one of Kafka's own command line tools
#
# PUMICE_SERVICES_DIR=DIR makes it a second pair of its own, with its ports and data in DIR: for
# tests that kill a broker which others need.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly S3S_FS_VERSION=0.14.1 BUCKET=pumice REGION=us-east-1
readonly BUILT=$PWD/target/services
STATE=$(realpath -m "${PUMICE_SERVICES_DIR:-$BUILT}")
readonly STATE
readonly DATA=$STATE/data
readonly KAFKA_CONFIG=$STATE/kafka/server.properties

say() { printf 'services: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

# Runs a command with its output in a log file, and shows the end of the log if it fails.
logged() {
    local what=$1 log=$2 seconds=$3
    shift 3
    say "$what (at most $seconds s)"
    timeout "$seconds" "$@" >"$log" 2>&1 </dev/null && return
    tail -n 15 "$log" >&2
    fail "could not: $what; the whole log is $log"
}

need() { command -v "$1" >/dev/null || fail "$1 is missing: $2"; }

# --- what has to be fetched or built once

fetch_kafka() {
    need java 'install a JDK, 17 or newer (Debian: apt-get install default-jdk-headless)'
    local version major=0
    version=$(java -version 2>&1)
    if [[ $version =~ \"([0-9]+) ]]; then major=${BASH_REMATCH[1]}; fi
    [ "$major" -ge 17 ] || fail "java is too old for Kafka 4, it needs 17 or newer: $version"

    local fetched=$BUILT/kafka/libs/pom.xml
    cmp -s docker/kafka/pom.xml "$fetched" && return
    need mvn 'install Maven (Debian: apt-get install maven)'
    rm -rf "$BUILT/kafka/libs"
    logged "fetch Kafka's jars from Maven Central" "$BUILT/kafka/maven.log" 600 \
        mvn -B -ntp -q -f docker/kafka/pom.xml -Dmaven.repo.local="$BUILT/m2" \
        dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$BUILT/kafka/libs"
    cp docker/kafka/pom.xml "$fetched"
}

build_s3() {
    [ "$("$BUILT/s3/bin/s3s-fs" --version 2>/dev/null)" = "s3s-fs $S3S_FS_VERSION" ] && return
    need cargo 'install it from https://rustup.rs'
    logged "fetch and build s3s-fs $S3S_FS_VERSION" "$BUILT/s3/cargo.log" 1800 \
        cargo install "s3s-fs@$S3S_FS_VERSION" --features binary --locked --force \
        --root "$BUILT/s3" --target-dir "$BUILT/s3/build"
    rm -rf "$BUILT/s3/build"
}

# --- settings that stay the same from one start to the next

random_hex() { od -An -tx1 -N"$1" /dev/urandom | tr -d ' \n'; }

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below the ports that the kernel gives to outgoing connections, so that none takes a stopped
# service's port before it is started again.
free_port() {
    local port
    for _ in {1..100}; do
        port=$((20000 + RANDOM % 12000))
        listens "$port" || { echo "$port" && return; }
    done
    fail 'found no free port between 20000 and 31999 on 127.0.0.1'
}

# The port of a service that does not run: the one it had before, unless somebody took it.
choose_port() {
    local file=$STATE/$1/port
    if [ ! -s "$file" ] || listens "$(<"$file")"; then free_port >"$file"; fi
}

# A certificate that signs itself, and the password of two users: `pumice`, who may do everything,
# and `stranger`, who may do nothing.
prepare_secrets() {
    local keys=$STATE/kafka/keys.p12
    [ -s "$STATE/kafka/password" ] || (umask 077 && random_hex 16 >"$STATE/kafka/password")
    [ -s "$STATE/kafka/ca.pem" ] && return
    rm -f "$keys"
    logged 'make a certificate for Kafka' "$STATE/kafka/keytool.log" 60 \
        keytool -genkeypair -alias kafka -keyalg EC -groupname secp256r1 -validity 3650 \
        -dname CN=pumice-test-broker -ext san=ip:127.0.0.1,dns:localhost -ext bc=ca:false \
        -storetype PKCS12 -keystore "$keys" -storepass "$(<"$STATE/kafka/password")"
    logged 'export it' "$STATE/kafka/keytool.log" 60 \
        keytool -exportcert -rfc -alias kafka -keystore "$keys" \
        -storepass "$(<"$STATE/kafka/password")" -file "$STATE/kafka/ca.pem"
}

# What the listener for TLS and SASL needs, as lines of the broker's settings.
secure_listener() {
    local password listener=listener.name.sasl_ssl mechanism
    password=$(<"$STATE/kafka/password")
    echo "$listener.ssl.keystore.type=PKCS12"
    echo "$listener.ssl.keystore.location=$STATE/kafka/keys.p12"
    echo "$listener.ssl.keystore.password=$password"
    echo "$listener.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
    echo "$listener.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule" \
        "required user_pumice=\"$password\" user_stranger=\"$password\";"
    for mechanism in 256 512; do
        echo "$listener.scram-sha-$mechanism.sasl.jaas.config=" \
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    done
}

prepare_kafka() {
    choose_port kafka
    prepare_secrets
    local port secure controller user mechanism scram=()
    port=$(<"$STATE/kafka/port")
    if [ ! -s "$STATE/kafka/secure-port" ] || listens "$(<"$STATE/kafka/secure-port")"; then
        free_port >"$STATE/kafka/secure-port"
    fi
    secure=$(<"$STATE/kafka/secure-port")
    controller=$(free_port)
    {
        cat docker/kafka/server.properties
        echo "listeners=PLAINTEXT://127.0.0.1:$port,SASL_SSL://127.0.0.1:$secure,\
CONTROLLER://127.0.0.1:$controller"
        echo "advertised.listeners=PLAINTEXT://127.0.0.1:$port,SASL_SSL://127.0.0.1:$secure"
        secure_listener
        echo "controller.quorum.voters=1@127.0.0.1:$controller"
        echo "log.dirs=$DATA/kafka"
    } >"$KAFKA_CONFIG"
    [ -e "$DATA/kafka/meta.properties" ] && return
    for user in pumice stranger; do
        for mechanism in 256 512; do
            scram+=(--add-scram
                "SCRAM-SHA-$mechanism=[name=$user,password=$(<"$STATE/kafka/password")]")
        done
    done
    logged 'format the data directory of Kafka' "$STATE/kafka/format.log" 120 \
        java -cp "$BUILT/kafka/libs/*" kafka.tools.StorageTool format --config "$KAFKA_CONFIG" \
        --cluster-id="$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')" "${scram[@]}"
}

prepare_s3() {
    choose_port s3
    mkdir -p "$DATA/s3/$BUCKET"
    [ -s "$STATE/s3/credentials" ] && return
    (umask 077 && echo "$(random_hex 10) $(random_hex 20)" >"$STATE/s3/credentials")
}

# --- processes

# A pid file may outlive its process and the number may be another's by now: a process is ours only
# if this path of ours is among its arguments.
runs() {
    local pid mark=$KAFKA_CONFIG
    [ "$1" = s3 ] && mark=$DATA/s3
    pid=$(cat "$STATE/$1/pid" 2>/dev/null) && grep -aqF -- "$mark" "/proc/$pid/cmdline" 2>/dev/null
}

# A Metadata request of version 1 that asks for no topic, and of its reply the correlation id and
# the number of brokers: a broker that cannot take topics yet is not counted.
kafka_answers() {
    local reply
    # The inner shell is what the time limit holds for, so its variables are its own.
    # shellcheck disable=SC2016
    reply=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" &&
        printf "\0\0\0\x0e\0\x03\0\x01\0\0\0\x07\xff\xff\0\0\0\0" >&3 &&
        head -c 12 <&3 | od -An -tx1 | tr -d " \n"' "$1" 2>/dev/null) || return 1
    [[ $reply =~ ^.{8}00000007(.{8})$ ]] && [ "${BASH_REMATCH[1]}" != 00000000 ]
}

s3_answers() {
    local reply
    # shellcheck disable=SC2016
    reply=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" &&
        printf "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" >&3 &&
        head -c 7 <&3' "$1" 2>/dev/null) || return 1
    [ "$reply" = HTTP/1. ]
}

answers() { runs "$1" && "$1_answers" "$(cat "$STATE/$1/port")"; }

run_in_background() {
    local name=$1
    shift
    # Its own session, so that it survives this shell and its terminal; without the lock (9), which
    # it would hold for ever.
    (cd "$STATE/$name" && exec setsid "$@") </dev/null >>"$STATE/$name/log" 2>&1 9>&- &
    echo $! >"$STATE/$name/pid"
}

start() {
    local name=$1 port access_key secret_key
    [ -s "$STATE/$name/port" ] || fail "$name was never started: run docker/services.sh up"
    port=$(<"$STATE/$name/port")
    if ! runs "$name"; then
        listens "$port" && fail "$name: port $port of 127.0.0.1 is taken by another process"
        if [ "$name" = kafka ]; then
            run_in_background kafka java -Xmx512m -XX:+ExitOnOutOfMemoryError \
                -Dorg.slf4j.simpleLogger.showDateTime=true \
                -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS \
                -cp "$BUILT/kafka/libs/*" kafka.Kafka "$KAFKA_CONFIG"
        else
            read -r access_key secret_key <"$STATE/s3/credentials"
            run_in_background s3 "$BUILT/s3/bin/s3s-fs" --host 127.0.0.1 --port "$port" \
                --access-key "$access_key" --secret-key "$secret_key" "$DATA/s3"
        fi
    fi
    await "$name" 120
}

await() {
    local name=$1 end=$((SECONDS + $2)) log=$STATE/$1/log
    until answers "$name"; do
        sleep 0.2
        # Not `runs`: in its first moments the process is still the shell that becomes the service.
        if ! kill -0 "$(<"$STATE/$name/pid")" 2>/dev/null; then
            tail -n 15 "$log" >&2
            fail "$name ended at its start; the whole log is $log"
        fi
        [ "$SECONDS" -lt "$end" ] ||
            fail "$name runs but did not answer within $2 s (paused? $name-resume); its log is $log"
    done
}

signal() { runs "$1" && kill "-$2" "$(<"$STATE/$1/pid")"; }

# True when the service is gone within so many seconds.
gone_within() {
    local end=$((SECONDS + $2))
    while runs "$1"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

stop() {
    signal "$1" TERM || return 0
    # A paused process takes no TERM before it is continued; one that is gone by now needs none.
    signal "$1" CONT || true
    gone_within "$1" 30 && return
    say "$1 did not end within 30 s of being asked to: killing it"
    kill_hard "$1"
}

kill_hard() {
    signal "$1" KILL || return 0
    gone_within "$1" 10 || fail "$1 (pid $(<"$STATE/$1/pid")) is still there 10 s after SIGKILL"
    # A dying process that no longer tells its name may still hold its port.
    local port try
    port=$(<"$STATE/$1/port")
    for try in {1..100}; do
        listens "$port" || return 0
        sleep 0.1
    done
    fail "$1: port $port is still listened on 10 s after SIGKILL (try $try)"
}

# --- commands

# Two tests that start the services at once must not start them twice.
locked() {
    need flock 'install util-linux'
    mkdir -p "$BUILT/kafka" "$BUILT/s3" "$STATE/kafka" "$STATE/s3"
    exec 9>"$BUILT/lock"
    flock -w 1800 9 || fail "another docker/services.sh holds $BUILT/lock for half an hour"
}

print_endpoints() {
    local kafka s3 access_key secret_key
    kafka=127.0.0.1:$(<"$STATE/kafka/port")
    s3=http://127.0.0.1:$(<"$STATE/s3/port")
    read -r access_key secret_key <"$STATE/s3/credentials"
    cat <<END
kafka=$kafka
s3=$s3
data=$DATA
kafka-secure=127.0.0.1:$(<"$STATE/kafka/secure-port")
kafka-ca=$STATE/kafka/ca.pem
kafka-password-file=$STATE/kafka/password
export PUMICE_TEST_SERVICES=1
export PUMICE_TEST_KAFKA=$kafka
export PUMICE_TEST_S3=$s3
export PUMICE_TEST_BUCKET=$BUCKET
export AWS_ACCESS_KEY_ID=$access_key
export AWS_SECRET_ACCESS_KEY=$secret_key
export AWS_REGION=$REGION
END
}

up() {
    locked
    if ! runs kafka; then
        fetch_kafka
        prepare_kafka
    fi
    if ! runs s3; then
        build_s3
        prepare_s3
    fi
    start kafka
    start s3
    print_endpoints
}

status() {
    local name all=0
    for name in kafka s3; do
        if answers "$name"; then
            echo "$name: answers on 127.0.0.1:$(<"$STATE/$name/port"), pid $(<"$STATE/$name/pid")"
        elif runs "$name"; then
            echo "$name: runs but does not answer, pid $(<"$STATE/$name/pid")"
            all=1
        else
            echo "$name: does not run"
            all=1
        fi
    done
    return "$all"
}

kafka_tool() {
    [ -d "$BUILT/kafka/libs" ] || fail "Kafka's jars are not here yet: run docker/services.sh up"
    [ $# -gt 0 ] || fail 'kafka-tool needs a class, such as org.apache.kafka.tools.TopicCommand'
    exec java -Xmx256m -Dorg.slf4j.simpleLogger.defaultLogLevel=error \
        -cp "$BUILT/kafka/libs/*" "$@"
}

usage() {
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "docker/${0##*/}" >&2
    exit 64
}

case ${1-} in
    up) up ;;
    status) status ;;
    kafka-tool) shift && kafka_tool "$@" ;;
    down)
        locked
        stop kafka
        stop s3
        ;;
    kafka-stop | s3-stop) locked && stop "${1%-*}" ;;
    kafka-kill | s3-kill) locked && kill_hard "${1%-*}" ;;
    kafka-start | s3-start) locked && start "${1%-*}" ;;
    kafka-pause | s3-pause) signal "${1%-*}" STOP || fail "${1%-*} does not run" ;;
    kafka-resume | s3-resume) signal "${1%-*}" CONT || fail "${1%-*} does not run" ;;
    *) usage ;;
esac
