"""Explain in plain sentences why a connection failed; messages of OpenSSL and the system are for programmers."""

import errno
import http.client
import socket
import ssl

# Source: openssl/x509_vfy.h.
_CERTIFICATES = {
    9: "is not valid yet; check this machine's clock",
    10: "has expired; check this machine's clock",
    18: "is self-signed, and not trusted here",
    19: "is issued by an authority that is not trusted here",
    20: "is issued by an authority that is not trusted here",
    21: "is issued by an authority that is not trusted here",
    23: "was revoked",
    62: "is for another host name",
    64: "is for another IP address; use the name in it",
}
_SYSTEM = {
    errno.ECONNREFUSED: "cannot be reached (connection refused, nothing listens there)",
    errno.EHOSTUNREACH: "cannot be reached (no such machine in the network, or it is switched off)",
    errno.ENETUNREACH: "cannot be reached (no route to that network)",
    errno.ECONNRESET: "closed the connection",
    errno.EPIPE: "closed the connection",
}


def describe_failure(error: BaseException | None, trust: str) -> str:
    """Describe a failure as the end of a sentence that begins with an address; it holds nothing that was sent.

    Args:
        error: Error that connecting or reading raised.
        trust: How to name the trusted certificate authorities, e.g. `SSL_CERT_FILE=FILE`.
    """
    match error:
        case TimeoutError():
            text = "does not answer"
        case ssl.SSLCertVerificationError():
            reason = _CERTIFICATES.get(error.verify_code, "cannot be trusted")
            text = f"its certificate {reason}. Set trusted certificates with {trust}"
        case ssl.SSLZeroReturnError() | ssl.SSLEOFError() | http.client.RemoteDisconnected():
            text = "closed the connection"
        case ssl.SSLError():
            text = _describe_tls(error.reason or "")
        case socket.gaierror():
            is_away = error.errno == socket.EAI_AGAIN
            text = (
                "its name cannot be resolved, because no name server responds" if is_away else "no host has this name"
            )
        case OSError():
            text = _SYSTEM.get(error.errno or 0, f"cannot be reached ({error.strerror or type(error).__name__})")
        case http.client.HTTPException():
            text = f"the response is not HTTP, or incomplete ({type(error).__name__})"
        case _:
            text = f"the connection failed ({type(error).__name__})"
    return text


def _describe_tls(reason: str) -> str:
    """Describe a TLS failure from OpenSSL's short name of it, e.g. WRONG_VERSION_NUMBER."""
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
        return "does not use TLS on this port: try another port, or http:// or mqtt:// without the s"
    if "CERTIFICATE_REQUIRED" in reason:
        return "requires a client certificate"
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        return "rejects the client certificate"
    return f"cannot agree with this machine on TLS ({reason.replace('_', ' ').lower() or 'no reason given'})"
