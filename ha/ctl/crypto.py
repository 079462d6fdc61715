"""Encrypted configuration values, and what can be used to encrypt them. Local: no node is asked."""

import base64
import ctypes
import ctypes.util
import hashlib
import os

from .commands import CTL, DIAGNOSTICS, command
from .formatters import Report
from .outcome import BadUsage, Failure
from .users import secret_of
from .values import Term

SECTION = "Configuration and Environment"
BOTH = (CTL, DIAGNOSTICS)
SALT_SIZE = IV_SIZE = BLOCK = 16
# RabbitMQ's defaults, so that a value of either tool is read by the other.
ITERATIONS, CIPHER, HASH = 1, "aes_128_cbc", "sha256"
CIPHERS = {"aes_256_cbc": 32, "aes_192_cbc": 24, "aes_128_cbc": 16}     # name -> bytes of the key
HASHES = ("sha512", "sha384", "sha256", "sha224", "sha", "md5")
SWITCHES = {"cipher": str, "hash": str, "iterations": int, "decode": bool}
WRONG = ("Failed to decrypt the value. Things to check: is the passphrase correct? Are the cipher and hash algorithms "
         "the same as "
         "those used for encryption?")
BINARY_TERM, TERM_VERSION = 109, 131    # Erlang's external format: a binary, 4 bytes of length


def listing(name, words, title):
    @command(name, "", f"Lists {title} supported by encoding commands", "Monitoring, observability and health checks",
             BOTH,
             banner=lambda call: f"Listing supported {'hash algorithms' if name == 'list_hashes' else 'ciphers'} ...",
             local=True)
    def run(call):
        return Report("[" + ",".join(words) + "]", {"result": "ok", "value": list(words)})
    return run


listing("list_ciphers", tuple(CIPHERS), "cipher suites")
listing("list_hashes", HASHES, "hash functions")


def cipher_run(encrypting, cipher, key, iv, data):
    """AES by the OpenSSL that this machine has; padding is ours."""
    path = ctypes.util.find_library("crypto")
    if not path:
        raise Failure("OpenSSL's libcrypto is not installed on this machine")
    lib = ctypes.CDLL(path)
    lib.EVP_CIPHER_CTX_new.restype = lib.EVP_get_cipherbyname.restype = ctypes.c_void_p
    for function in (lib.EVP_CIPHER_CTX_set_padding, lib.EVP_CIPHER_CTX_free):
        function.argtypes = [ctypes.c_void_p] + ([ctypes.c_int] if function is lib.EVP_CIPHER_CTX_set_padding else [])
    lib.EVP_CipherInit_ex.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_char_p] * 2 + [ctypes.c_int]
    lib.EVP_CipherUpdate.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_int), ctypes.c_char_p,
                                     ctypes.c_int]
    context, out, size = lib.EVP_CIPHER_CTX_new(), ctypes.create_string_buffer(len(data) + BLOCK), ctypes.c_int()
    try:
        named = lib.EVP_get_cipherbyname(cipher.replace("_", "-").encode())
        good = (lib.EVP_CipherInit_ex(context, named, None, key, iv, int(encrypting)) == 1
                and lib.EVP_CIPHER_CTX_set_padding(context, 0) == 1
                and lib.EVP_CipherUpdate(context, out, ctypes.byref(size), data, len(data)) == 1)
    finally:
        lib.EVP_CIPHER_CTX_free(context)
    if not good:
        raise Failure("OpenSSL does not offer this cipher")
    return out.raw[:size.value]


def key_of(call, passphrase, salt, cipher):
    wanted = call.option("hash", HASH)
    return hashlib.pbkdf2_hmac("sha1" if wanted == "sha" else wanted, passphrase.encode(), salt,
                               call.option("iterations", ITERATIONS),
                               CIPHERS[cipher])


def check_switches(call):
    if call.option("cipher", CIPHER) not in CIPHERS:
        raise BadUsage("The requested cipher is not supported")
    if call.option("hash", HASH) not in HASHES:
        raise BadUsage("The requested hash is not supported")
    if call.option("iterations", 1) < 1:
        raise BadUsage("The requested number of iterations is incorrect (must be a positive integer)")


def encoded(call):
    cipher, value = call.option("cipher", CIPHER), plain_value(call.words[0])
    salt, iv = os.urandom(SALT_SIZE), os.urandom(IV_SIZE)
    data = bytes([TERM_VERSION, BINARY_TERM]) + len(value).to_bytes(4, "big") + value
    data += bytes([BLOCK - len(data) % BLOCK]) * (BLOCK - len(data) % BLOCK)
    secret = cipher_run(True, cipher, key_of(call, secret_of(call, 1, "Passphrase: "), salt, cipher), iv, data)
    return base64.b64encode(salt + iv + secret).decode()


def plain_value(word):
    """The value may be written as Erlang's binary or string."""
    for opening, closing in (('<<"', '">>'), ('"', '"')):
        if len(word) >= len(opening + closing) and word.startswith(opening) and word.endswith(closing):
            return word[len(opening):-len(closing)].encode()
    return word.encode()


def decoded(call):
    text = call.words[0].strip()
    if text.startswith("{"):
        text = text.partition(",")[2].rstrip().rstrip("}").strip()
    text = plain_value(text.removeprefix("encrypted:")).decode()
    cipher = call.option("cipher", CIPHER)
    try:
        blob = base64.b64decode(text, validate=True)
        salt, iv, secret = blob[:SALT_SIZE], blob[SALT_SIZE:SALT_SIZE + IV_SIZE], blob[SALT_SIZE + IV_SIZE:]
        if not secret or len(secret) % BLOCK:
            raise ValueError
        data = cipher_run(False, cipher, key_of(call, secret_of(call, 1, "Passphrase: "), salt, cipher), iv, secret)
        pad = data[-1]
        size = int.from_bytes(data[2:6], "big")
        if not 1 <= pad <= BLOCK or data[:2] != bytes([TERM_VERSION, BINARY_TERM]) or len(data) != 6 + size + pad:
            raise ValueError
        return data[6:6 + size].decode()
    except ValueError:
        raise Failure(WRONG) from None


def encrypting(name, about):
    @command(name, "value [passphrase] [--cipher <cipher>] [--hash <hash>] [--iterations <iterations>] [--decode]",
             about, SECTION,
             words=(1, 2), switches=SWITCHES, check=check_switches, banner=lambda call: "Encrypting value ...",
             local=True,
             details=[("<passphrase>", "read from standard input when it is not given")],
             examples=[(f"{name} 'a secret' < passphrase-file", "what comes out may stand in a configuration file")])
    def run(call):
        if call.option("decode"):
            text = decoded(call)
            return Report(Term(f'<<"{text}">>'), {"result": "ok", "value": text})
        text = encoded(call)
        return Report(f'{{encrypted,<<"{text}">>}}', {"result": "ok", "value": text})
    return run


def decrypting(name, about):
    @command(name, "value [passphrase] [--cipher <cipher>] [--hash <hash>] [--iterations <iterations>]", about, SECTION,
             words=(1, 2),
             switches=SWITCHES, check=check_switches, banner=lambda call: "Decrypting value...", local=True)
    def run(call):
        text = decoded(call)
        return Report(f'<<"{text}">>', {"result": "ok", "value": text})
    return run


encrypting("encode", "Encrypts a sensitive configuration value")
encrypting("encrypt_conf_value", "Encrypts a sensitive configuration value")
decrypting("decode", "Decrypts an encrypted configuration value")
decrypting("decrypt_conf_value", "Decrypts an encrypted configuration value")
