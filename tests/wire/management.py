"""Requests to a broker's management API; what they made is remembered, to be deleted after the script."""

import base64
import http.client
import json

LOGIN = "Basic " + base64.b64encode(b"guest:guest").decode()
TIMEOUT = 20.0
OWNERS = ("users", "vhosts")    # all else belongs to one of these, or to the default vhost
OF_A_VHOST = ("policies", "operator-policies", "vhost-limits")


class Management:
    def __init__(self, address):
        self.address = address
        self.made = []    # paths, in the order in which they were made

    def ask(self, method, path, body=None):
        """Gives (status, text of the answer)."""
        connection = http.client.HTTPConnection(*self.address, timeout=TIMEOUT)
        try:
            connection.request(method.upper(), "/api" + path, None if body is None else json.dumps(body),
                               {"Authorization": LOGIN, "Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        finally:
            connection.close()
        if method.upper() == "PUT" and 200 <= response.status < 300 and path.split("/")[1] in OWNERS + OF_A_VHOST:
            self.made.append(path)
        return response.status, text

    def clean(self):
        """Deletes what was made, the latest first; what is gone already is no harm."""
        while self.made:
            self.ask("DELETE", self.made.pop())
