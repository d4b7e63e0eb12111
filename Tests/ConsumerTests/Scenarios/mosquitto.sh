. "$(dirname "$0")/common.sh"
# A daemon that, when root starts it, becomes another user before it reads the file that only this user may read.
port=$(free_port)
echo 'somebody:secret' >passwords
mosquitto_passwd -U passwords
chmod 600 passwords
owner=
if [ "$(id -u)" = 0 ]; then
  chown mosquitto: passwords
  owner=--same-owner
fi
cat >mosquitto.conf <<END
listener $port 127.0.0.1
allow_anonymous false
END
tar -cf etc.tar passwords mosquitto.conf
rm passwords mosquitto.conf
"$MA" run etc.tar --tree $owner -- sh -c '
  (cat "$1"; echo "password_file $2") >conf
  exec /usr/sbin/mosquitto -c conf' sh '{mosquitto.conf}' '{passwords}' 2>log &
started=$!
ask() { mosquitto_pub -p "$port" -u somebody -P "$1" -t topic -m word; }
until_true ask secret || { cat log >&2; exit 1; }
! ask wrong 2>refused
kill -HUP $started # reads the passwords again
until_true grep -q 'Reloading config' log || { cat log >&2; exit 1; }
ask secret
echo "mosquitto: $(head -1 refused)"
