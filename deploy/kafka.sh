# Starts the broker with the password of its one user, from a file: it is in no variable and on no command line.
set -eu
password=$(cat /run/secrets/kafka_password)
case $password in
    "" | *[!A-Za-z0-9+/=._~-]*)
        echo "secrets/kafka_password may hold letters, digits and + / = . _ ~ - only: \`make secrets\` makes one" >&2
        exit 1
        ;;
esac
# Every listener knows its users from here (JAAS), and the broker itself connects to its controller as this one.
(
    umask 077
    cat >/tmp/kafka.jaas <<END
KafkaServer {
  org.apache.kafka.common.security.plain.PlainLoginModule required
    username="bigbrotr" password="$password" user_bigbrotr="$password";
};
END
)
export KAFKA_OPTS="${KAFKA_OPTS-} -Djava.security.auth.login.config=/tmp/kafka.jaas"
exec /etc/kafka/docker/run
