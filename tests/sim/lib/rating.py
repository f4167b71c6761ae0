"""What usage costs, told again: an oracle for invoices. It knows lifecycle events and price books as people write them, cuts time into
pieces at every instant at which anything changes, and adds up exact fractions. It shares nothing with the programs but the rules of
docs/billing.md."""
import collections
import datetime
import fnmatch
import zoneinfo
from fractions import Fraction

UNUSED = ("none", "gone", "building")
HOUR = 3600 * 10**6
NANO = 10**9
FOREVER = float("inf")
UNIT = {"server": 1, "vcpu": 1, "memory_mib": 1, "disk_gib": 1, "image_gib": 1048576, "address": 1}
UNIT.update(snapshot_gib=1048576, backup_gib=1048576, volume_gib=1)
COUNTER_UNIT = {"cpu_seconds": 10**9, "disk_read_gb": 10**9, "disk_write_gb": 10**9, "disk_read_requests": 1, "disk_write_requests": 1,
                "net_in_gb": 10**9, "net_out_gb": 10**9}


def half_even(value):
    """An exact fraction as a whole number."""
    return round(value)  # Fraction.__round__ is half to even


def instant(text):
    value = datetime.datetime.fromisoformat(text)
    value = value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
    return int((value - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) / datetime.timedelta(microseconds=1))


def month(zone, year, number):
    """The instants at which a month begins and ends."""
    def begin(y, m):
        local = datetime.datetime(y + (m - 1) // 12, (m - 1) % 12 + 1, 1, tzinfo=zoneinfo.ZoneInfo(zone))
        return int(local.timestamp()) * 10**6
    return begin(year, number), begin(year, number + 1)


Piece = collections.namedtuple("Piece", "begin end run_begin run_ends state flavor zone tags project host sizes")


def lives(events):
    """Server -> its pieces of use. `events` in the order of their numbers."""
    result = collections.defaultdict(list)
    for e in events:
        pieces = result[e["server_id"]]
        last = pieces[-1] if pieces and pieces[-1].end is FOREVER else None
        facts = dict(state=e["state"], flavor=e["flavor_name"], zone=e["zone"], tags=tuple(e["tags"]), project=e["project_id"],
                     host=e["host_id"] or (last.host if last else ""),
                     sizes=(("server", 1), ("vcpu", e["vcpus"]), ("memory_mib", e["memory_mib"]), ("disk_gib", e["disk_gib"])) + tuple(e.get("extra", {}).items()))
        used = e["state"] not in UNUSED
        if last and used and all(getattr(last, name) == value for name, value in facts.items()):
            continue
        at = max(e["at_us"], last.begin) if last else e["at_us"]
        goes_on = last and used and (last.state, last.flavor, last.project) == (facts["state"], facts["flavor"], facts["project"])
        if last:
            pieces[-1] = last._replace(end=at, run_ends=not goes_on)
        if used:
            pieces.append(Piece(begin=at, end=FOREVER, run_begin=last.run_begin if goes_on else at, run_ends=False, **facts))
    return result


def is_spot(piece):
    return piece.spot if hasattr(piece, "spot") else "spot" in dict(piece.sizes)


def looks_at(what, resource, project, piece):
    """Whether a price or rate is one for that use."""
    network = getattr(piece, "network", "")
    return what["resource"] == resource and ("flavor" not in what or fnmatch.fnmatchcase(piece.flavor, what["flavor"])) and \
        what.get("zone", piece.zone) == piece.zone and what.get("project", project) == project and \
        ("states" not in what or piece.state in what["states"]) and ("tag" not in what or what["tag"] in piece.tags) and \
        what.get("market", "") in ("", "spot" if is_spot(piece) else "regular") and what.get("network", network) == network


class Book:
    def __init__(self, version, text):
        self.version, self.begin, self.prices, self.discounts = version, instant(text["from"]), text["prices"], text.get("discounts", [])
        self.rates = text.get("rates", [])

    def at(self, instant_us):
        """The same from a later instant on, with the spot prices of then."""
        later = Book(self.version, {"from": "1970-01-01", "prices": [dict(p) for p in self.prices], "discounts": self.discounts, "rates": self.rates})
        later.begin = instant_us
        for price in later.prices:
            for spot in price.get("spot", []):
                if instant(spot["from"]) <= instant_us:
                    price["price"] = spot["price"]
        return later

    def price(self, resource, project, piece):
        for number, p in enumerate(self.prices):
            if looks_at(p, resource, project, piece):
                return number, p
        return None, None

    def factors(self, price, project, piece):
        """The rates that multiply a price for that use, in the book's order."""
        label = price.get("name", price["resource"])
        return tuple(Fraction(r["rate"]) for r in self.rates if r.get("name", r["resource"]) == label and looks_at(r, price["resource"], project, piece))


class Commitment(collections.namedtuple("Commitment", "id label resource project flavor units price begin end")):
    """Of an account: `units` of a resource (base units) from begin to end, at a price of a unit and hour (text)."""

    def covers(self, resource, project, flavor, at):
        return self.resource == resource and self.project in ("", project) and (not self.flavor or fnmatch.fnmatchcase(flavor, self.flavor)) and \
            self.begin <= at < self.end

    def quantity(self, begin, end):
        return self.units * max(0, min(end, self.end) - max(begin, self.begin))


class Line(tuple):
    """(project, resource, flavor, state, zone, (network, server), tags, version, label, tier, quantity, price, amount)"""
    committed = False


def parts_of(books, commitments=()):
    """The books as spans in which all prices and commitments stay the same."""
    result = []
    for index, book in enumerate(books):
        end = books[index + 1].begin if index + 1 < len(books) else FOREVER
        instants = {instant(s["from"]) for p in book.prices for s in p.get("spot", [])} | {at for c in commitments for at in (c.begin, c.end)}
        result += [book.at(at) for at in sorted({book.begin} | {at for at in instants if book.begin < at < end})]
    return result


def surplus(price, length):
    charged = max(length, int(price.get("minimum_seconds", 0)) * 10**6)
    grain = int(price.get("granularity_seconds", 0)) * 10**6
    return (-(-charged // grain) * grain if grain else charged) - length


def unit_of(resource):
    """Base units (times microseconds) of one unit (and hour)."""
    return COUNTER_UNIT.get(resource) or UNIT.get(resource, 1) * HOUR


def tiers(price):
    """[(limit or None, nano)]"""
    def nano(text):
        return int(Fraction(text) * NANO)
    rows = [(Fraction(price["free"]), 0)] if "free" in price else []
    told = None
    for t in price.get("tiers", []):
        told = t.get("price", told)
        rows.append((Fraction(t["up_to"]) if "up_to" in t else None, half_even(nano(told) * Fraction(t.get("rate", 1)))))
    if "price" in price:
        rows.append((None, nano(price["price"])))
    return rows


def project_quantities(project, servers, books, begin, end, counters=()):
    """Line key -> exact base quantity."""
    sums = collections.Counter()
    for server, pieces in servers.items():
        for p in pieces:
            if p.project != project:
                continue
            for index, book in enumerate(books):
                start = max(begin, book.begin)
                stop = min(end, books[index + 1].begin if index + 1 < len(books) else end)
                length = max(0, min(p.end, stop) - max(p.begin, start)) if stop > start else 0
                ends_here = p.run_ends and start <= p.end < stop
                for resource, amount in p.sizes:
                    number, price = book.price(resource, project, p)
                    if price is None or not amount:
                        continue
                    quantity = amount * (length + (surplus(price, p.end - p.run_begin) if ends_here else 0))
                    sums[resource, index, number, p.flavor, p.state, p.zone, p.tags, ("", server), book.factors(price, project, p)] += quantity
    for c in counters:
        for index, book in enumerate(books):
            stop = min(end, books[index + 1].begin if index + 1 < len(books) else end)
            number, price = book.price(c.resource, project, c)
            if c.project == project and max(begin, book.begin) <= c.hour < stop and price is not None:
                sums[c.resource, index, number, c.flavor, c.state, c.zone, c.tags, (c.network, c.server), book.factors(price, project, c)] += c.amount
    return {key: value for key, value in sums.items() if value}


def tag_text(tags):
    return "[" + ",".join(f'"{t}"' for t in tags) + "]"


def account_lines(projects, servers, books, begin, end, counters=(), commitments=()):
    """Project -> its lines, as an invoice has them; the lines of the project '' are what was committed and not used."""
    books = parts_of(books, commitments)
    left = [c.quantity(begin, end) for c in commitments]
    rests, total, used, lines = {}, collections.Counter(), collections.Counter(), collections.defaultdict(list)

    def rule_of(key):
        return books[key[1]].prices[key[2]]

    def label_of(key):
        return rule_of(key).get("name", key[0])

    def is_tiered(rule):
        return "tiers" in rule or "free" in rule or rule.get("tiering") == "volume"

    def counted(project, key):
        return (None if rule_of(key).get("per") == "account" else project, key[0], label_of(key))

    def line(project, key, label, tier, quantity, nano, committed):
        for factor in () if committed else key[8]:
            nano = half_even(nano * factor)
        amount = half_even(Fraction(quantity) * nano / unit_of(key[0]))
        made = Line((project, key[0], key[3], key[4], key[5], key[7], tag_text(key[6]), books[key[1]].version, label, tier, int(quantity), nano, amount))
        made.committed = committed
        lines[project].append(made)

    for project in projects:
        quantities = project_quantities(project, servers, books, begin, end, counters)
        for key in sorted(quantities, key=lambda k: (k[0], k[1], k[2], k[3], k[4], k[5], tag_text(k[6]), k[7])):
            rest, parts = quantities[key], []
            for number, c in enumerate(commitments):
                if c.covers(key[0], project, key[3], max(begin, books[key[1]].begin)):
                    parts.append((c, min(rest, left[number])))
                    rest -= parts[-1][1]
                    left[number] -= parts[-1][1]
            rests[project, key] = rest, parts
            if is_tiered(rule_of(key)):
                total[counted(project, key)] += rest
    for (project, key), (rest, parts) in rests.items():
        for c, quantity in parts:
            if quantity:
                line(project, key, c.label, 0, quantity, int(Fraction(c.price) * NANO), True)
        rule = rule_of(key)
        limits = [(None if limit is None else limit * unit_of(key[0]), nano) for limit, nano in tiers(rule)]
        who = counted(project, key)
        if not rest:
            continue
        if not is_tiered(rule):
            line(project, key, label_of(key), 0, rest, limits[0][1], False)
        elif rule.get("tiering") == "volume":
            tier = next(i for i, (limit, _) in enumerate(limits) if limit is None or total[who] <= limit)
            line(project, key, label_of(key), tier, rest, limits[tier][1], False)
        else:
            low, at = Fraction(0), used[who]
            for tier, (limit, nano) in enumerate(limits):
                high = FOREVER if limit is None else limit
                take = max(0, min(at + rest, high) - max(at, low))
                if take:
                    line(project, key, label_of(key), tier, take, nano, False)
                low = high
            used[who] += rest
    last = [i for i, b in enumerate(books) if b.begin < end][-1]
    for c, quantity in zip(commitments, left):
        if quantity:
            line("", (c.resource, last, 0, "", "unused", "", (), ("", c.id), ()), c.label, 0, quantity, int(Fraction(c.price) * NANO), True)
    return lines


def discounts(books, end, project, lines):
    """[(name, project, nano)] by percentage."""
    book = [b for b in books if b.begin < end][-1]
    left, result = sum(line[-1] for line in lines), []
    for d in book.discounts:
        if "percent" not in d or d.get("project", project) != project:
            continue
        part = sum(line[-1] for line in lines if d.get("resource", line[1]) == line[1] and not line.committed)
        nano = min(left, half_even(Fraction(part) * Fraction(d["percent"]) / 100))
        left -= nano
        if nano:
            result.append((d["name"], project, -nano))
    return result


def fixed_discounts(books, end, net):
    book = [b for b in books if b.begin < end][-1]
    result = []
    for d in book.discounts:
        if "amount" in d:
            nano = max(0, min(int(Fraction(d["amount"]) * NANO), net))
            net -= nano
            if nano:
                result.append((d["name"], None, -nano))
    return result
