"""A server on loopback for files of one directory, which answers as the first part of the path says, and counts.

    server.py DIRECTORY [CERTIFICATE KEY]

Prints its port. The body of /log is what it sent so far: requests, and bytes of bodies.
"""

import collections
import http.server
import os
import ssl
import sys

directory = sys.argv[1]
requests = collections.Counter()
sent = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, fields, body=b""):
        global sent
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **fields}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        sent += len(body)

    def do_GET(self):
        _, kind, name = (self.path.split("?")[0] + "/").split("/")[:3]
        if kind == "log":
            return self.answer(200, {}, f"{sum(requests.values())} {sent}\n".encode())
        requests[kind] += 1
        number = requests[kind]
        if kind == "redirect":
            return self.answer(302, {"Location": f"/fine/{name}"}, b"elsewhere")
        if kind == "loop":
            return self.answer(302, {"Location": self.path})
        if kind == "secret" and self.headers["Authorization"] is None:
            return self.answer(401, {})
        try:
            file = open(os.path.join(directory, name), "rb")
        except OSError:
            return self.answer(404, {}, b"no such file")
        with file:
            self.answer_from(file, kind, number)

    def answer_from(self, file, kind, number):
        size = os.fstat(file.fileno()).st_size
        fields = {"ETag": '"one"', "Last-Modified": "Mon, 30 Nov 2026 01:00:00 GMT"}
        if kind == "dated":
            del fields["ETag"]
        if kind == "unnamed":
            fields = {}
        if kind == "weak":
            fields = {"ETag": 'W/"one"'}
        if kind == "changed" and number > 1:
            fields = {"ETag": '"two"'}
        if kind == "changed-date":
            fields = {"Last-Modified": f"Mon, 30 Nov 2026 01:00:{min(number, 2):02} GMT"}
        condition = self.headers["If-Range"]
        if condition and kind != "careless" and condition not in fields.values():
            return self.answer(200, fields, file.read())
        if kind == "careless" and number > 1:
            fields = {"ETag": '"two"'}
        if kind == "whole":
            return self.answer(200, fields, file.read())
        if kind == "busy" and number <= 2 or kind == "always-busy":
            return self.answer(503, {})
        if kind == "dropping" and number <= 2 or kind == "always-dropping":
            return self.close()
        first, last = (int(end) for end in self.headers["Range"].removeprefix("bytes=").split("-"))
        if first >= size:
            return self.answer(416, {"Content-Range": f"bytes */{size}"})
        last = min(last, size - 1)
        file.seek(first)
        body = file.read(last + 1 - first)
        fields["Content-Range"] = f"bytes {first}-{last}/{size}"
        if number > 1:
            if kind == "elsewhere":
                fields["Content-Range"] = f"bytes {first + 1}-{last + 1}/{size + 1}"
            if kind == "shifted":
                fields["Content-Range"] = f"bytes {first - 1}-{last - 1}/{size}"
            if kind == "longer-file":
                fields["Content-Range"] = f"bytes {first}-{last}/{size + 1}"
            if kind == "nowhere":
                fields["Content-Range"] = None
            if kind == "senseless":
                fields["Content-Range"] = "bytes -5-99999999999999999999/*"
            if kind == "short":
                body = body[:-1]
            if kind == "long":
                body += b"more"
            # Another file than the first answer was of, with the name of its version: all but the end.
            if kind == "hidden" and last < size - 65536:
                body = bytes(byte ^ 1 for byte in body)
            if kind == "packed":
                fields["Content-Encoding"] = "gzip"
        if kind == "cut" and number > 1:
            self.send_response(206)
            for field in {**fields, "Content-Length": len(body)}.items():
                self.send_header(*field)
            self.end_headers()
            self.wfile.write(body[:len(body) // 2])
            return self.close()
        self.answer(206, fields, body)

    def close(self):
        self.close_connection = True
        self.wfile.flush()
        self.connection.close()


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
sys.stderr = open(os.devnull, "w")
server.serve_forever()
