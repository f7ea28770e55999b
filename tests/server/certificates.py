"""Certificates for tests, made with the openssl command."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

CURVE = "ec_paramgen_curve:prime256v1"
NEW_KEY = ["req", "-x509", "-newkey", "ec", "-pkeyopt", CURVE, "-noenc"]
OF_THIS_MACHINE = "subjectAltName=DNS:localhost,IP:127.0.0.1"


@dataclass(frozen=True)
class Pair:
    """Files of a certificate and its private key."""

    certificate: Path
    key: Path

    def replace(self, other: "Pair") -> None:
        """Replace both files atomically, as certificate renewal tools do."""
        for mine, its in ((self.certificate, other.certificate), (self.key, other.key)):
            new = mine.with_suffix(".new")
            new.write_bytes(its.read_bytes())
            new.rename(mine)


def authority(folder: Path, name: str) -> Pair:
    """Create a CA."""
    return _made(folder, name, [])


def signed(folder: Path, name: str, by: Pair, days: int = 2) -> Pair:
    """Create a certificate for this machine, signed by a CA and valid for `days`."""
    leaf = ["-addext", OF_THIS_MACHINE, "-addext", "basicConstraints=critical,CA:FALSE"]
    signing = ["-CA", str(by.certificate), "-CAkey", str(by.key)]
    return _made(folder, name, [*leaf, *signing], days)


def ended(folder: Path, name: str, by: Pair) -> Pair:
    """Create a certificate that expired one day ago."""
    pair = signed(folder, name, by)
    asking = ["openssl", "req", "-new", "-key", str(pair.key), "-subj", f"/CN={name}"]
    asked = subprocess.run(asking, check=True, capture_output=True).stdout
    signing = ["-CA", str(by.certificate), "-CAkey", str(by.key), "-days", "-1"]
    command = ["openssl", "x509", "-req", "-out", str(pair.certificate), *signing]
    subprocess.run(command, check=True, capture_output=True, input=asked)
    return pair


def end_of(certificate: Path) -> float:
    """Return the expiry date of a certificate in Unix time, as read by openssl."""
    command = ["openssl", "x509", "-in", str(certificate), "-noout", "-enddate"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(ssl.cert_time_to_seconds(said.strip().removeprefix("notAfter=")))


def lock(key: Path) -> None:
    """Encrypt a private key with a password."""
    locked = key.with_suffix(".locked")
    command = ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:secret"]
    subprocess.run([*command, "-out", str(locked)], check=True, capture_output=True)
    locked.rename(key)


def _made(folder: Path, name: str, options: list[str], days: int = 2) -> Pair:
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    files = ["-keyout", str(pair.key), "-out", str(pair.certificate)]
    command = ["openssl", *NEW_KEY, "-days", str(days), "-subj", f"/CN={name}", *files, *options]
    subprocess.run(command, check=True, capture_output=True)
    return pair
