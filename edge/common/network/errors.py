"""Explain in plain sentences why a connection failed; messages of OpenSSL and the system are for programmers."""

import errno
import http.client
import socket
import ssl

# Source: openssl/x509_vfy.h.
_CERTIFICATES = {
    9: "is not valid yet; see whether this machine's clock is right",
    10: "has expired; see whether this machine's clock is right",
    18: "is its own: nobody who is trusted here vouches for it",
    19: "is vouched for by somebody who is not trusted here",
    20: "is vouched for by somebody who is not trusted here",
    21: "is vouched for by somebody who is not trusted here",
    23: "was revoked",
    62: "is for another name than this",
    64: "is for another number than this; use the name in it",
}
_SYSTEM = {
    errno.ECONNREFUSED: "cannot be reached (connection refused, nothing listens there)",
    errno.EHOSTUNREACH: "cannot be reached (no such machine in the network, or it is off)",
    errno.ENETUNREACH: "cannot be reached (there is no way to that network)",
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
            text = f"its certificate {reason}. Trusted ones are named by {trust}"
        case ssl.SSLZeroReturnError() | ssl.SSLEOFError() | http.client.RemoteDisconnected():
            text = "closed the connection"
        case ssl.SSLError():
            text = _describe_tls(error.reason or "")
        case socket.gaierror():
            is_away = error.errno == socket.EAI_AGAIN
            text = (
                "its name cannot be looked up now, for no name server answers"
                if is_away
                else "there is no host of this name"
            )
        case OSError():
            text = _SYSTEM.get(error.errno or 0, f"cannot be reached ({error.strerror or type(error).__name__})")
        case http.client.HTTPException():
            text = f"the answer is not HTTP, or cut off ({type(error).__name__})"
        case _:
            text = f"the connection failed ({type(error).__name__})"
    return text


def _describe_tls(reason: str) -> str:
    """Describe a TLS failure from OpenSSL's short name of it, e.g. WRONG_VERSION_NUMBER."""
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
        return "speaks no TLS on this port: try another port, or the address without the s of https or mqtts"
    if "CERTIFICATE_REQUIRED" in reason:
        return "demands a client certificate"
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        return "does not take the client certificate"
    return f"cannot agree with this machine on TLS ({reason.replace('_', ' ').lower() or 'no reason given'})"
