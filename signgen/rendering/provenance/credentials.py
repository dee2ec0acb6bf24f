"""Content credentials (C2PA): a signed manifest of a video, by c2pa-python where it is installed.

A manifest has random salts, so it lies beside the video unless it is asked for inside: the bytes of
the video stay those of any other render of the same.
"""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from signgen.config.render import RenderConfig
from signgen.errors import ExitCode, UserError
from signgen.files.paths import one_line
from signgen.files.reading import read_bytes
from signgen.rendering.provenance.record import Provenance

__all__ = [
    "can_sign",
    "check_signer",
    "describe_credentials",
    "is_installed",
    "manifest_of",
    "sign_video",
]

MAX_BYTES = 1 << 20
SELF_SIGNED = "signgen, self-signed"
ASSERTION = "org.signgen.provenance"
CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
"""Algorithms of C2PA by the curve of a key (C2PA Specification 2, 13.2)."""


def is_installed() -> bool:
    """Whether c2pa-python can be imported."""
    return find_spec("c2pa") is not None


def can_sign(video: Path) -> bool:
    """Whether a video is signed: where c2pa-python is installed, of which C2PA knows MP4 alone."""
    return is_installed() and video.suffix == ".mp4"


def manifest_of(video: Path) -> Path:
    """Return the path of the manifest beside a video."""
    return video.with_suffix(".c2pa")


def check_signer(config: RenderConfig) -> None:
    """Refuse a certificate that cannot be used, before anything is rendered.

    Raises:
        UserError: If half of certificate and key is missing, or c2pa-python, or they do not fit.
    """
    given = (config.certificate, config.private_key)
    if any(given) and not all(given):
        missing = "--private-key" if config.certificate else "--certificate"
        raise UserError(
            f"{missing} is missing; expected certificate and key together.", ExitCode.USAGE
        )
    if (any(given) or config.credentials == "inside") and not is_installed():
        raise UserError(
            "c2pa-python is not installed, which signs videos: pip install 'signgen[c2pa]'.",
            ExitCode.UNAVAILABLE,
        )
    if any(given):
        _signer(config)


def sign_video(video: Path, manifest: Path | None, provenance: Provenance, config: Any) -> None:
    """Sign a finished video.

    Args:
        video: A file that nobody else sees yet.
        manifest: Where the manifest is written; None to put it into the video.
        provenance: What the video was made of; its part for the video is in the manifest.
        config: Settings with `certificate` and `private_key`, both empty for a key that is made for
            this one video and thrown away.
    """
    import c2pa

    # What is claimed
    program, _, number = provenance.software.partition(" ")
    created = {
        "action": "c2pa.created",
        "digitalSourceType": provenance.digital_source_type,
        "softwareAgent": {"name": program, "version": number},
    }
    claim = {
        "claim_generator_info": [{"name": program, "version": number}],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
            {"label": ASSERTION, "data": provenance.in_video()},
        ],
    }

    # Sign
    target = io.BytesIO()
    try:
        with c2pa.Builder(json.dumps(claim)) as builder, video.open("rb") as source:
            if manifest is not None:
                builder.set_no_embed()
            data = builder.sign(_signer(config), "video/mp4", source, target)
    except c2pa.C2paError as error:
        raise UserError(f"{video.name} cannot be signed: {one_line(error)}.") from error
    if manifest is not None:
        manifest.write_bytes(data)
    else:
        video.write_bytes(target.getvalue())


def _signer(config: RenderConfig) -> Any:
    """Return what signs: the certificate of the settings, or a new one of nobody."""
    import c2pa

    if not config.certificate:
        chain, key = _self_signed()
        return c2pa.Signer.from_info(c2pa.C2paSignerInfo("ed25519", chain, key, None))
    chain = read_bytes(config.certificate, MAX_BYTES, "a chain of certificates in PEM")
    key = read_bytes(config.private_key, MAX_BYTES, "a private key in PEM")
    algorithm = _algorithm(key, config.private_key)
    try:
        return c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, chain, key, None))
    except c2pa.C2paError as error:
        raise UserError(
            f"{config.certificate} cannot sign: {one_line(error)}. Expected a chain in PEM, the "
            "certificate of the key first, for signing documents or e-mail."
        ) from error


def _algorithm(key: bytes, path: str) -> str:
    """Return C2PA's name of the algorithm of a key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        read = load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UserError(
            f"{path} is no private key ({one_line(error)}); expected PEM without a password."
        ) from error
    if isinstance(read, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(read, rsa.RSAPrivateKey):
        return "ps256"
    if isinstance(read, ec.EllipticCurvePrivateKey) and read.curve.name in CURVES:
        return CURVES[read.curve.name]
    raise UserError(f"{path} is a key that C2PA does not know; expected Ed25519, RSA or P-256.")


def _self_signed() -> tuple[bytes, bytes]:
    """Return a certificate and its key in PEM, made for one video: it says who nobody is."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = datetime.now(UTC)

    def certificate(
        name: str, key: Ed25519PrivateKey, issuer: str, by: Ed25519PrivateKey, *, is_root: bool
    ) -> x509.Certificate:
        def called(text: str) -> x509.Name:
            kinds = (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
            return x509.Name([x509.NameAttribute(kind, text) for kind in kinds])

        uses = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
        )
        usage = x509.KeyUsage(
            digital_signature=not is_root,
            key_cert_sign=is_root,
            crl_sign=is_root,
            encipher_only=False,
            decipher_only=False,
            **uses,
        )
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(called(name))
            .issuer_name(called(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(is_root, 0 if is_root else None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(issuer_key, critical=False)
        )
        if not is_root:
            email = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(email, critical=False)
        return builder.sign(by, None)

    # C2PA takes no leaf that signed itself, so a root of the same worth signs it
    root, key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    above = f"{SELF_SIGNED}, root"
    chain = (
        certificate(SELF_SIGNED, key, above, root, is_root=False),
        certificate(above, root, above, root, is_root=True),
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return b"".join(one.public_bytes(Encoding.PEM) for one in chain), secret


def describe_credentials(video: Path) -> str:
    """Return in a line who signed a video, and whether it is as it was signed."""
    beside = manifest_of(video)
    if not is_installed():
        there = f"in {beside}, not checked; " if beside.is_file() else ""
        return f"{there}c2pa-python is not installed: pip install 'signgen[c2pa]'"
    import c2pa

    # What is in the video goes before what lies beside it
    manifests = [None, *([beside] if beside.is_file() else [])]
    for manifest in manifests:
        data = read_bytes(manifest, 1 << 26, "a C2PA manifest") if manifest else None
        try:
            with video.open("rb") as stream, c2pa.Reader("video/mp4", stream, data) as reader:
                return _described(reader)
        except c2pa.C2paError as error:
            if "ManifestNotFound" not in str(error):
                return f"unreadable: {one_line(error)}"
    return "none"


def _described(reader: Any) -> str:
    """Return the state of a manifest, what is wrong with it, and who signed it."""
    problems = json.loads(reader.json()).get("validation_status", [])
    codes = ", ".join(sorted({str(problem.get("code")) for problem in problems}))
    signature = (reader.get_active_manifest() or {}).get("signature_info") or {}
    issuer = signature.get("issuer", "nobody")
    return f"{reader.get_validation_state()} ({codes or 'trusted'}), signed by {issuer}"
