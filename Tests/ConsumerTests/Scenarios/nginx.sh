. "$(dirname "$0")/common.sh"
# A daemon that reads its configuration again on SIGHUP, long after the command that started it has ended.
cat >nginx.conf <<END
user nobody nogroup;
pid $directory/pid;
error_log $directory/log notice;
events {}
http {
  access_log off;
  client_body_temp_path $directory/t1; proxy_temp_path $directory/t2; fastcgi_temp_path $directory/t3;
  uwsgi_temp_path $directory/t4; scgi_temp_path $directory/t5;
  server { listen unix:$directory/socket; return 200 "process \$pid\n"; }
}
END
tar -cf conf.tar nginx.conf
rm nginx.conf
# The path is that of the process which keeps the file open, and does.
"$MA" run conf.tar --hold -- /usr/sbin/nginx -e "$directory/log" -p "$directory" -c '{nginx.conf}' 2>err || { cat err >&2; exit 1; }
ask() { python3 - "$directory/socket" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"GET / HTTP/1.0\r\n\r\n")
data = b""
while more := s.recv(4096):
    data += more
print(data.split(b"\r\n\r\n", 1)[1].decode().strip())
END
}
until_true test -s pid
started=$(cat pid)
before=$(ask)
other() { [ "$(ask)" != "$before" ]; }
kill -HUP "$started"
until_true other || { cat log >&2; exit 1; }
until_true grep -q 'reconfiguring' log
kill -QUIT "$started"
until_true test ! -e pid
started=
echo "nginx: $(grep -o 'reconfiguring' log | head -1), $(grep -c 'emerg' log || true) errors"
