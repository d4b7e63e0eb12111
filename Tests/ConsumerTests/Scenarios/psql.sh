. "$(dirname "$0")/common.sh"
# A server that takes no user without a certificate, and one whose password is in a file. libpq wants keys and passwords that
# are their owner's alone, and so does the server of its own key.
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
as=
if [ "$(id -u)" = 0 ]; then
  as='setpriv --reuid=postgres --regid=postgres --clear-groups'
  chown postgres .
fi
port=$(free_port)

issue() { # name, subject, further options
  name=$1 subject=$2
  shift 2
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$subject" \
    -keyout "$name.key" -out "$name.crt" "$@" 2>/dev/null
  chmod 600 "$name.key"
}
issue ca authority
issue server localhost -CA ca.crt -CAkey ca.key
issue client keyholder -CA ca.crt -CAkey ca.key
echo "localhost:$port:postgres:typist:secret" >pass
chmod 600 pass
tar -cf server.tar server.key server.crt ca.crt
tar -cf client.tar client.key client.crt ca.crt pass
rm ./*.key ./*.crt pass

$as "$bin/initdb" -D "$directory/data" -U superuser --auth=trust --no-sync -E UTF8 --locale=C >/dev/null
cat >data/pg_hba.conf <<END
hostssl all keyholder 127.0.0.1/32 cert
hostssl all typist 127.0.0.1/32 scram-sha-256
local all superuser trust
END
# As the server's user from the start, whose the files then are.
$as "$MA" run server.tar --hold -- "$bin/postgres" -D "$directory/data" -k "$directory" -p "$port" \
  -c listen_addresses=127.0.0.1 -c ssl=on -c fsync=off -c 'ssl_key_file={server.key}' -c 'ssl_cert_file={server.crt}' \
  -c 'ssl_ca_file={ca.crt}' >log 2>&1 &
started=$!
super="$bin/psql -XAqt -h $directory -p $port -U superuser postgres"
until_true $super -c 'select 1' || { cat log >&2; exit 1; }
$super -c "create role keyholder login; create role typist login password 'secret'"
kill -HUP "$started" # reads the keys again
until_true grep -q 'SIGHUP' log

server="host=localhost hostaddr=127.0.0.1 port=$port dbname=postgres sslmode=verify-full"
key=$("$MA" run client.tar -- "$bin/psql" -XAt \
  "$server sslrootcert={ca.crt} user=keyholder sslkey={client.key} sslcert={client.crt}" -c 'select current_user')
password=$("$MA" run client.tar -- env 'PGPASSFILE={pass}' "$bin/psql" -XAtw \
  "$server sslrootcert={ca.crt} user=typist" -c 'select current_user')
echo "psql: $key by key, $password by password file"
