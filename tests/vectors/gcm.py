"""AES-256-GCM (FIPS 197, NIST SP 800-38D) with nonces of 12 bytes, to open only.

Slow, and with nothing but Python: it is there to be another one than the one
that sealed.
"""


def _xtime(a):
    return (a << 1 ^ 0x11B if a & 0x80 else a << 1) & 0xFF


def _times(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a, b = _xtime(a), b >> 1
    return product


def _sbox():
    box = []
    for a in range(256):
        # The inverse of a is a to the power of 254.
        inverse, power = 1, a
        for bit in (0, 1, 1, 1, 1, 1, 1, 1):
            if bit:
                inverse = _times(inverse, power)
            power = _times(power, power)
        turned = inverse * 0x101
        box.append(
            (inverse ^ turned >> 4 ^ turned >> 5 ^ turned >> 6 ^ turned >> 7) & 0xFF ^ 0x63
        )
    return box


SBOX = _sbox()
TWICE = [_xtime(a) for a in range(256)]


def _round_keys(key):
    words = [key[at : at + 4] for at in range(0, 32, 4)]
    constant = 1
    while len(words) < 60:
        word = words[-1]
        if len(words) % 8 == 0:
            word = bytes(SBOX[b] for b in word[1:] + word[:1])
            word = bytes([word[0] ^ constant]) + word[1:]
            constant = _xtime(constant)
        elif len(words) % 8 == 4:
            word = bytes(SBOX[b] for b in word)
        words.append(bytes(a ^ b for a, b in zip(word, words[-8])))
    return [b"".join(words[at : at + 4]) for at in range(0, 60, 4)]


def _encrypt(keys, block):
    state = bytes(a ^ b for a, b in zip(block, keys[0]))
    for number, key in enumerate(keys[1:], 1):
        # Row r of column c comes from column c + r.
        moved = [SBOX[state[(at + 4 * (at % 4)) % 16]] for at in range(16)]
        if number < 14:
            mixed = []
            for c in range(0, 16, 4):
                column = moved[c : c + 4]
                every = column[0] ^ column[1] ^ column[2] ^ column[3]
                for r in range(4):
                    mixed.append(column[r] ^ every ^ TWICE[column[r] ^ column[(r + 1) % 4]])
            moved = mixed
        state = bytes(a ^ b for a, b in zip(moved, key))
    return state


def _field_product(a, b):
    product = 0
    for bit in range(127, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (0xE1 << 120 if b & 1 else 0)
    return product


def _padded(data):
    return data + bytes(-len(data) % 16)


def open_sealed(key, nonce, tag, ciphertext, associated):
    """The plaintext. Raises ValueError where the tag does not fit."""
    keys = _round_keys(key)
    secret = int.from_bytes(_encrypt(keys, bytes(16)), "big")
    lengths = (8 * len(associated)).to_bytes(8, "big") + (8 * len(ciphertext)).to_bytes(8, "big")
    digested = _padded(associated) + _padded(ciphertext) + lengths
    state = 0
    for at in range(0, len(digested), 16):
        state = _field_product(state ^ int.from_bytes(digested[at : at + 16], "big"), secret)
    mask = _encrypt(keys, nonce + (1).to_bytes(4, "big"))
    if bytes(a ^ b for a, b in zip(state.to_bytes(16, "big"), mask)) != tag:
        raise ValueError("the seal does not open")
    plain = bytearray()
    for number, at in enumerate(range(0, len(ciphertext), 16), 2):
        stream = _encrypt(keys, nonce + number.to_bytes(4, "big"))
        plain += bytes(a ^ b for a, b in zip(ciphertext[at : at + 16], stream))
    return bytes(plain)
