"""Read the expiry dates of the certificates in a PEM file.

Python's `ssl` reads the date for peer certificates only.
"""


def earliest_end(pem: bytes) -> float:
    """Return the earliest expiry date in Unix time. Raises `ValueError` if there is none."""
    from cryptography import x509  # takes 4 MB of memory and 80 ms; only TLS needs it

    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except x509.InvalidVersion as error:
        raise ValueError(str(error)) from None
    return min(each.not_valid_after_utc.timestamp() for each in certificates)
