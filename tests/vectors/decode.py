#!/usr/bin/env python3
"""Reads a vault and its sticks by docs/format.md alone, with known secrets.

    decode.py FOLDER

Prints what the vault holds, one thing a line, and fails where a byte is not as
the document says. It shares no code with stayput.
"""

import hashlib
import hmac
import struct
import sys
from pathlib import Path

from gcm import open_sealed

VERSION = 4
BLOCK = 4096
HALF = 120 * BLOCK
LETTERS = "cbdefghijklnrtuv"


def sha256(data):
    return hashlib.sha256(data).digest()


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf(secret, label, salt=b""):
    return mac(mac(salt or bytes(32), secret), label.encode() + b"\x01")


def scrypt(words, salt, log_n, r=8, p=1):
    return hashlib.scrypt(
        words, salt=salt, n=1 << log_n, r=r, p=p, dklen=32, maxmem=1 << 30
    )


def u32(number):
    return struct.pack("<I", number)


def check(holds, what):
    if not holds:
        raise SystemExit(f"not as docs/format.md says: {what}")


class Reader:
    """Postcard: varints, sequences and strings with their length."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        check(self.at + count <= len(self.data), "a value is cut")
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self):
        return self.take(1)[0]

    def number(self):
        value, shift = 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def bytes(self):
        return self.take(self.number())

    def text(self):
        return self.bytes().decode()

    def boolean(self):
        byte = self.byte()
        check(byte < 2, "a bool")
        return byte == 1

    def option(self, read):
        return read() if self.boolean() else None

    def list(self, read, most):
        count = self.number()
        check(count <= most, "a list is too long")
        return [read() for _ in range(count)]

    def end(self):
        check(self.at == len(self.data), "bytes behind the last field")


def payload(image, block, blocks, kind):
    """Of the newest whole copy; None where neither is whole."""
    found = None
    for half in (0, HALF):
        copy = image[half + block * BLOCK : half + (block + blocks) * BLOCK]
        sequence, length = struct.unpack_from("<QI", copy, 8)
        content = copy[64 : 64 + length]
        whole = copy[:4] == b"SPUT" and copy[4] == kind and length <= len(copy) - 64
        if not whole or sha256(copy[:32] + content) != copy[32:64]:
            continue
        check(copy[5] == VERSION, "the version")
        check(copy[6:8] == bytes(2) and copy[20:32] == bytes(12), "zeroes in a head")
        if found is None or sequence > found[0]:
            found = (sequence, content)
    return found and found[1]


class Vault:
    def __init__(self, image, secrets):
        self.image, self.secrets = image, secrets
        self.key = bytes.fromhex(secrets["master_key"])
        read = Reader(payload(image, 0, 1, 1))
        self.server = read.take(16)
        self.name = read.text()
        self.generation = read.number()
        proof = read.take(32)
        self.area, self.pepper_digest = read.number(), read.take(32)
        spare = read.boolean()
        earlier = sealed_keys(read)
        journal = read.boolean()
        read.end()
        self.proof, self.earlier_sealed = proof, earlier
        self.bound = self.server + u32(self.generation)
        expected = mac(hkdf(self.key, "stayput master key check v1"), self.bound)
        check(proof == expected, "the check value of the master key")
        spares = f"spare {spare}, journal {journal}"
        print(f"header: {self.name}, generation {self.generation}, area {self.area}, {spares}")
        self.keys = self.keyring(self.key, self.generation, earlier)
        expected = bytes.fromhex(secrets["earlier_key"])
        check(self.keys[self.generation - 1] == expected, "the earlier key")
        print(f"master keys: {sorted(self.keys)}")

    def keyring(self, key, generation, earlier):
        """All master keys by their generation."""
        keys = {generation: key}
        if earlier is None:
            return keys
        label = "stayput earlier master keys v1"
        plain = opened(hkdf(key, label), label, earlier, self.server + u32(generation))
        check(len(plain) % 32 == 0, "the earlier keys")
        for at in range(0, len(plain), 32):
            keys[generation - 1 - at // 32] = plain[at : at + 32]
        return keys

    def way(self, kind, id):
        return bytes([kind]) + self.server + id

    def unlock(self, way, secret, beside, lock):
        plain = opened(secret, "stayput way lock v1", lock, way + beside)
        check(plain[0] == 3, "what a lock holds")
        return plain[1:]

    def unwrap(self, way, way_key, wrap, generation=None):
        bound = way + u32(generation or self.generation)
        return opened(way_key, "stayput way master key v1", wrap, bound)

    def unseal(self, way, seal):
        """The way key, and the generation in which it was made."""
        label = "stayput way key v1"
        plain = opened(hkdf(self.key, label), label, seal, way + u32(self.generation))
        return plain[:32], struct.unpack("<I", plain[32:])[0]

    def ways(self):
        read = self.proven(106, 4, 9)
        self.sticks_ways = {}

        def kept():
            return wrapped(read), read.option(lambda: seal(read))

        for id, first, other, file in read.list(
            lambda: (read.take(8), kept(), read.option(kept), read.number()),
            32,
        ):
            self.sticks_ways[id], made = [], []
            for wrap, sealed in [first] + ([other] if other else []):
                way_key, made_in = self.unseal(self.way(2, id), sealed)
                opens = self.unwrap(self.way(2, id), way_key, wrap) == b"\x01" + self.key
                check(opens, "a stick's wrap in the vault")
                self.sticks_ways[id].append(way_key)
                made.append(str(made_in))
            print(f"way of stick: {id.hex()} made in {' or '.join(made)}, file of {file}")
        number, wrap, sealed = read.option(
            lambda: (read.byte(), wrapped(read), read.option(lambda: seal(read)))
        )
        way = self.way(3, bytes([number]) + bytes(7))
        self.code_way, made_in = self.unseal(way, sealed)
        check(self.unwrap(way, self.code_way, wrap) == b"\x01" + self.key, "the code's wrap")
        check(not any(read.data[read.at :]), "zeroes behind the ways in")
        self.code_number = number
        print(f"way of code: {number} made in {made_in}")

    def ways_copy(self, data):
        content = framed(data, b"STAYPUTW", 1, 8192)
        read = Reader(content)
        check(read.take(16) == self.server and read.text() == self.name, "whose copy it is")
        check(read.number() == self.generation and read.take(32) == self.proof, "its key")
        check(sealed_keys(read) == self.earlier_sealed, "its earlier keys")
        number, wrap = read.option(lambda: (read.byte(), wrapped(read)))
        way = self.way(3, bytes([number]) + bytes(7))
        check(self.unwrap(way, self.code_way, wrap) == b"\x01" + self.key, "the copy's code")
        left = {id: list(way_keys) for id, way_keys in self.sticks_ways.items()}
        for id, wrap in read.list(lambda: (read.take(8), wrapped(read)), 64):
            plain = self.unwrap(self.way(2, id), left[id].pop(0), wrap)
            check(plain == b"\x01" + self.key, "a stick in the copy")
        check(not any(left.values()), "every way key in the copy")
        read.end()
        print(f"copy of the ways in: code {number} and {len(self.sticks_ways)} sticks open")

    def authenticated(self, block, blocks, kind):
        data = payload(self.image, block, blocks, kind)
        proof, content = data[:32], data[32:]
        key = hkdf(self.key, "stayput record authentication v1")
        return Reader(content), proof, mac(key, bytes([kind]) + self.bound + content)

    def proven(self, block, blocks, kind):
        read, proof, expected = self.authenticated(block, blocks, kind)
        check(proof == expected, f"the proof of the record of kind {kind}")
        return read

    def state(self):
        read, proof, expected = self.authenticated(1, 1, 2)
        kind = read.number()
        check(proof == (expected if kind == 0 else bytes(32)), "the proof of the theft state")
        if kind == 1:
            print(f"state: suspect, {read.byte()} strikes, boot {read.take(16).hex()}")
        else:
            print(f"state: {kind}")
        read.end()

    def policy(self):
        read = self.proven(2, 1, 3)
        number = read.number
        key_id = lambda: (number(), number())
        mariadb = read.option(lambda: (number(), number(), read.list(key_id, 16)))
        theft = number(), read.byte(), read.option(number), number(), number()
        watch = [number() for _ in range(4)]
        neighbours = [one.hex() for one in read.list(lambda: address(read), 16)]
        rest = read.boolean(), number(), read.boolean()
        read.end()
        print(f"policy: {mariadb} {theft} {watch} {neighbours} {rest}")
        return mariadb

    def sticks(self):
        read = self.proven(4, 4, 4)
        for id, label, pin, generation, made, verified, kept in read.list(
            lambda: (
                read.take(8),
                read.text(),
                read.boolean(),
                read.number(),
                read.number(),
                read.option(read.number),
                self.kept(read),
            ),
            32,
        ):
            print(f"stick: {id.hex()} {label}, PIN {pin}, {generation} {made} {verified} {kept}")
        code = read.option(lambda: (read.number(), read.number(), self.kept(read)))
        read.end()
        print(f"code: {code}")

    def kept(self, read):
        sealed = read.option(lambda: {**sealing(read), "text": read.bytes()})
        if sealed is None:
            return None
        label = "stayput kept place v1"
        plain = opened(hkdf(self.key, label), label, sealed, bytes([VERSION]) + self.bound)
        check(len(plain) == 49 and not any(plain[1 + plain[0] :]), "a kept place")
        return plain[1 : 1 + plain[0]].decode()

    def pepper(self):
        start = 58 * BLOCK + (HALF if self.area == 1 else 0)
        state = 0
        for stripe in range(4000):
            at = start + 32 * stripe
            state ^= int.from_bytes(self.image[at : at + 32], "big")
            if stripe < 3999:
                state = int.from_bytes(sha256(bytes(4) + state.to_bytes(32, "big")), "big")
        pepper = state.to_bytes(32, "big")
        check(sha256(pepper) == self.pepper_digest, "the pepper")
        return pepper

    def slots(self):
        kind = 5 + self.area
        data = payload(self.image, 8 + 25 * self.area, 25, kind)
        sealed = {"salt": data[:32], "nonce": data[32:44], "tag": data[44:60], "text": data[60:]}
        bound = bytes([VERSION, kind]) + self.server
        plain = opened(self.pepper(), "stayput slot table v1", sealed, bound)
        proof, table = plain[:32], plain[32:]
        expected = mac(hkdf(self.key, "stayput slot table authentication v1"), self.bound + table)
        check(proof == expected, "the proof of the slots")
        read = Reader(table)
        print(f"slots: next {read.number()}")
        for place in read.list(lambda: environment(read), 2):
            self.open_place(place)
        stretch = read.option(lambda: (read.byte(), read.byte(), read.byte(), read.take(32)))
        for slot in read.list(lambda: passphrase(read), 16):
            self.open_passphrase(slot, stretch)
        read.end()

    def open_place(self, place):
        bound = bytes([VERSION]) + self.bound + u32(place["id"])
        label = "stayput enrolled values v1"
        plain = opened(hkdf(self.key, label), label, place["enrolled"], bound + u32(0))
        read = Reader(plain)
        values = read.list(read.bytes, 32)
        read.end()
        print(f"place: {place['id']} {place['name']}, needs {place['need']}")
        for (group, name), value in zip(place["factors"], values, strict=True):
            print(f"factor: {group} {name} {value.hex()}")
        factors = [(name, value) for (_, name), value in zip(place["factors"], values)]
        for members, salt, wrapped in place["rows"]:
            secret, bound_row = combination(factors, members, salt), bound + u32(members)
            plain = opened(secret, "stayput environment row v1", wrapped, bound_row)
            check(plain == b"\x01" + self.key, "a row")
            print(f"row: {members:b} opens")
        for members, salt, tag in place["witnesses"]:
            secret = hkdf(combination(factors, members, salt), "stayput witness v1")
            check(tag == mac(secret, bound + u32(members))[:16], "a witness")
            print(f"witness: {members:b} agrees")
        for server in place["servers"]:
            print(f"key server: {server}")
        for own in place["addresses"]:
            print(f"own address: {own}")

    def open_passphrase(self, slot, stretch):
        log_n, r, p, salt = stretch
        words = self.secrets[f"passphrase_{slot['name']}"].encode()
        way = self.way(1, u32(slot["id"]) + bytes(4))
        secret = scrypt(words, salt, log_n, r, p)
        way_key = self.unlock(way, secret, slot["name"].encode(), slot["lock"])
        plain = self.unwrap(way, way_key, slot["wrap"])
        check(plain[0] == 2 or plain == b"\x01" + self.key, "a passphrase")
        kept, made_in = self.unseal(way, slot["seal"])
        check(kept == way_key, "a person's way key")
        times = f"made {slot['made']}, changed {slot['changed']}"
        print(f"passphrase: {slot['id']} {slot['name']} {times}, type {plain[0]}, way of {made_in}")

    def events(self):
        blocks = []
        for place in range(16):
            data = payload(self.image, 90 + place, 1, 7)
            if data is not None:
                read = Reader(data)
                blocks.append(events(read))
                read.end()
                check((blocks[-1][1][0][0] - 1) // 28 % 16 == place, "a place in the ring")
        blocks.sort(key=lambda block: block[1][0][0])
        read = Reader(payload(self.image, 3, 1, 8))
        blocks.append(events(read))
        sealed, seal = read.number(), read.take(32)
        read.end()
        link = bytes(32)
        links = {0: link}
        for before, found in blocks:
            check(before == link, "the chain of the log")
            for number, raw, told in found:
                link = sha256(link + raw)
                links[number] = link
                print(f"event: {told}")
        bound = self.bound + struct.pack("<Q", sealed) + links[sealed]
        check(seal == mac(hkdf(self.key, "stayput event log seal v1"), bound), "the log's seal")
        print(f"log: sealed up to {sealed} of {max(links)}")

    def mariadb(self, ids):
        for id, generation in ids:
            key = hkdf(self.keys[generation], f"stayput mariadb key {id} v1")
            print(f"mariadb: {id};{key.hex()}")

    def stick(self, data, name):
        content = framed(data, b"STAYPUTK", 2, 4096)
        read = Reader(content)
        check(read.take(16) == self.server and read.text() == self.name, "whose stick it is")
        id, label, made = read.take(8), read.text(), read.number()
        stretch = read.option(lambda: (read.byte(), read.byte(), read.byte(), read.take(32)))
        beside = content[: read.at]
        lock, generation, wrap = wrapped(read), read.number(), wrapped(read)
        earlier = sealed_keys(read)
        read.end()
        secret = bytes(32)
        if stretch:
            log_n, r, p, salt = stretch
            secret = scrypt(self.secrets[f"pin_{name}"].encode(), salt, log_n, r, p)
        way = self.way(2, id)
        way_key = self.unlock(way, secret, beside, lock)
        check(way_key in self.sticks_ways[id], "a stick's way key")
        key = self.keys[generation]
        check(self.unwrap(way, way_key, wrap, generation) == b"\x01" + key, "a stick's key")
        known = self.keyring(key, generation, earlier)
        check(all(self.keys[number] == key for number, key in known.items()), "a stick's keys")
        told = f"{generation} of {sorted(known)}, made {made}, PIN {stretch is not None}"
        print(f"stick file: {id.hex()} {label}, {told}")

    def code(self, letters):
        values = [LETTERS.index(letter) for letter in letters]
        way_key = bytes(high << 4 | low for high, low in zip(values[:64:2], values[1:64:2]))
        check(way_key == self.code_way, "the code's way key")
        check(values[64] == 2 and values[65] == self.code_number & 15, "the code's version")
        secret = hkdf(way_key, "stayput recovery code v1")
        digest = mac(secret, self.server + bytes(values[64:66]))[:3]
        check([half for byte in digest for half in (byte >> 4, byte & 15)] == values[66:], "a sum")
        print("recovery code: right")


def framed(data, mark, version, length):
    """The payload of a stick's file."""
    check(len(data) == length and data[:9] == mark + bytes([version]), "a file's head")
    (used,) = struct.unpack_from("<I", data, 12)
    content = data[48 : 48 + used]
    check(data[9:12] == bytes(3) and not any(data[48 + used :]), "zeroes in a file")
    check(sha256(data[:16] + content) == data[16:48], "a file's digest")
    return content


def combination(factors, members, salt):
    """The secret of some factors, each a name and a value."""
    found = [factor for number, factor in enumerate(factors) if members >> number & 1]
    found = [(name.split(" ")[0].encode(), value) for name, value in found]
    secret = b""
    for part in (part for pair in sorted(found) for part in pair):
        secret += bytes([len(part)]) + part
    if any(kind == b"tang" for kind, _ in found):
        return hkdf(secret, "stayput strong row v1", salt)
    return scrypt(secret, salt, 15)


def opened(secret, label, sealed, bound):
    key = hkdf(secret, label, sealed["salt"])
    return open_sealed(key, sealed["nonce"], sealed["tag"], sealed["text"], bound)


def sealing(read):
    return {"salt": read.take(32), "nonce": read.take(12), "tag": read.take(16)}


def wrapped(read):
    return {**sealing(read), "text": read.take(33)}


def seal(read):
    return {**sealing(read), "text": read.take(36)}


def sealed_keys(read):
    return read.option(lambda: {**sealing(read), "text": read.bytes()})


def address(read):
    return read.take((4, 16)[read.number()])


def public_key(read):
    return read.number(), read.bytes().hex()


def key_server(read):
    at = address(read).hex(), read.number()
    exchange, ours = public_key(read), read.bytes().hex()
    return at, exchange, ours, read.list(lambda: public_key(read), 2)


def own_address(read):
    card, own, prefix = read.take(6).hex(), address(read).hex(), read.byte()
    router = read.option(lambda: address(read).hex())
    return card, own, prefix, router, read.boolean()


def environment(read):
    return {
        "id": read.number(),
        "name": read.text(),
        "factors": read.list(lambda: (read.number(), read.text()), 32),
        "need": [read.byte() for _ in range(3)],
        "rows": read.list(lambda: (read.number(), read.take(32), wrapped(read)), 256),
        "witnesses": read.list(lambda: (read.number(), read.take(16), read.take(16)), 136),
        "enrolled": {**sealing(read), "text": read.bytes()},
        "servers": read.list(lambda: key_server(read), 8),
        "addresses": read.list(lambda: own_address(read), 4),
    }


def passphrase(read):
    return {
        "id": read.number(),
        "name": read.text(),
        "made": read.number(),
        "changed": read.number(),
        "lock": wrapped(read),
        "wrap": wrapped(read),
        "seal": seal(read),
    }


def counts(read):
    return [read.byte() for _ in range(6)]


def opened_by(read):
    way = read.number()
    fields = {
        0: lambda: (read.text(), counts(read), [read.byte() for _ in range(3)]),
        1: read.text,
        2: read.text,
        3: lambda: None,
    }
    return way, fields[way]()


def events(read):
    """The chain before, then number, bytes and words of each event."""
    nothing = lambda: ()
    text = lambda: (read.text(),)
    fields = {
        0: nothing,
        1: lambda: (read.text(), counts(read)),
        2: lambda: (opened_by(read), read.number()),
        3: lambda: (read.number(), counts(read)),
        4: text,
        5: text,
        6: text,
        7: nothing,
        8: lambda: (read.byte(), read.byte()),
        9: lambda: (read.number(), read.number()),
        10: lambda: (read.number(),),
        11: lambda: (read.byte(), read.byte()),
        12: nothing,
        13: nothing,
        14: nothing,
        15: nothing,
        16: nothing,
        17: text,
        18: text,
        19: text,
        20: nothing,
        21: nothing,
        22: nothing,
        23: nothing,
        24: text,
        25: nothing,
        26: lambda: (read.text(), read.byte()),
        27: nothing,
        28: lambda: (read.number(), read.number()),
        29: nothing,
        30: lambda: (read.text(), read.take(8).hex(), read.boolean()),
        31: nothing,
        32: lambda: (read.number(),),
    }

    def event():
        start = read.at
        number, time, boot = read.number(), read.number(), read.take(16).hex()
        kind = read.number()
        told = " ".join(map(str, (number, time, boot[:4], kind, *fields[kind]())))
        return number, read.data[start : read.at], told

    return read.take(32), read.list(event, 28)


def main(folder):
    lines = (folder / "secrets.txt").read_text().splitlines()
    secrets = dict(line.split(" ", 1) for line in lines)
    image = (folder / "vault.img").read_bytes()
    check(len(image) == 960 * 1024, "the length of the vault")
    vault = Vault(image, secrets)
    vault.state()
    _, _, ids = vault.policy()
    vault.sticks()
    vault.ways()
    vault.slots()
    vault.events()
    vault.mariadb(ids)
    for name in ("office", "bare"):
        vault.stick((folder / f"{name}.key").read_bytes(), name)
    vault.ways_copy((folder / "ways").read_bytes())
    vault.code(secrets["code"])


main(Path(sys.argv[1]))
