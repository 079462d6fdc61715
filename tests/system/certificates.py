"""Certificates for a test, made by the openssl command: an authority and what it signs."""

import pathlib
import shutil
import ssl
import subprocess

import kit


class Authority:
    def __init__(self, directory, name="ca"):
        if not shutil.which("openssl"):
            raise kit.Skip("openssl is not installed; ha/setup test does it")
        self.directory = pathlib.Path(directory)
        self.file, self.key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        openssl("req", "-x509", *NEW_KEY, "-keyout", self.key, "-out", self.file, "-subj", f"/CN={name}", "-days", "2")

    def issue(self, name, subject="/CN=localhost", names="DNS:localhost,IP:127.0.0.1", directory=None):
        """NAME.pem and NAME.key; gives both paths. An existing pair is replaced, each file at once."""
        made = self.directory / "made"
        made.mkdir(exist_ok=True)
        (made / "extensions").write_text(f"subjectAltName={names}\n")
        openssl("req", *NEW_KEY, "-keyout", made / "key", "-out", made / "request", "-subj", subject)
        openssl("x509", "-req", "-in", made / "request", "-CA", self.file, "-CAkey", self.key, "-CAcreateserial", "-days", "2",
                "-out", made / "pem", "-extfile", made / "extensions")
        paths = [(directory or self.directory) / f"{name}.{kind}" for kind in ("pem", "key")]
        for path in paths:
            (made / path.suffix[1:]).replace(path)
        return paths

    def context(self, certificate=None, version=None):
        """What a client needs to trust this authority; `certificate` is a pair of issue()."""
        context = ssl.create_default_context(cafile=str(self.file))
        if certificate:
            context.load_cert_chain(*map(str, certificate))
        if version:
            context.minimum_version = context.maximum_version = version
        return context


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
