#!/usr/bin/env python3
"""ORDER.md as a program: which rows and which variants a trainer gets at which step.

    order.py table                           prints the table of results
    order.py --check                         compares vectors/order.json with it, and checks what the text promises
    order.py explain PLAN.json EPOCH STEP    prints the rows and variants of a global batch

PLAN.json is a plan in the form of the table: the value of a "plan" in vectors/order.json.
Needs Python 3.10 or later, and nothing else.
"""
import collections
import functools
import hashlib
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "vectors")]

PLAN_VERSION = 2
WORD = 2 ** 64
ORDERS, MODES, TAILS = ("blocks", "global", "none"), ("balanced", "epoch", "independent"), ("drop", "pad", "short")
PARTS = ("view", "real", "synthetic")
FIELDS = ("row_sets", "row_counts", "seed", "batch_size", "lanes", "block_rows", "window_blocks", "order", "variants",
          "tail", "parts", "weights", "epoch_steps", "quarantine")
MOST_LANES, MOST_ROWS, MOST_WEIGHT = 65_536, 2 ** 31, 65_536
MOST_COUNT, MOST_EPOCHS, MOST_PLACES = 2 ** 48, 2 ** 53, 2 ** 62
MOST_SHUFFLED = 16
MOST_TRIES = 1_000                                                      # for a substitute

Axis = collections.namedtuple("Axis", "name count exchangeable weight")
# A place of a batch. `set` and `epoch` are those of the row; `named` is the row that the order names, `row` the one
# that is delivered; `repeated` says that a `pad` tail repeats an earlier place.
Slot = collections.namedtuple("Slot", "lane set epoch named row repeated")


# ---------------------------------------------------------------- 2: keys, draws and permutations

def mix(z):
    """[R-ORDER-3]"""
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ z >> 27) * 0x94D049BB133111EB % WORD
    return z ^ z >> 31


def output(key, n):
    """[R-ORDER-3]"""
    return mix((key + (n + 1) * 0x9E3779B97F4A7C15) % WORD)


def first_bytes(count, *parts):
    """The first bytes of the SHA-256 of the parts, as a little-endian number."""
    return int.from_bytes(hashlib.sha256(b"".join(parts)).digest()[:count], "little")


@functools.lru_cache(4096)
def key(row_set, seed, epoch, stream):
    """[R-ORDER-4]"""
    return first_bytes(8, b"drshard-order", PLAN_VERSION.to_bytes(4, "little"), row_set.to_bytes(16, "little"),
                       seed.to_bytes(8, "little"), epoch.to_bytes(8, "little"), stream.encode("utf-8"))


def draw(key, n, count):
    """[R-ORDER-5]"""
    return output(key, n) * count // WORD


class Shuffle:
    """[R-ORDER-6] of a small count"""

    def __init__(self, key, count):
        self.count, self.images = count, list(range(count))
        for i in range(count - 1, 0, -1):
            other = draw(key, i, i + 1)
            self.images[i], self.images[other] = self.images[other], self.images[i]

    def image(self, place):
        return self.images[place]

    def place(self, image):
        """The inverse."""
        return self.images.index(image)


class Permutation:
    """[R-ORDER-6] of a larger count"""

    def __init__(self, key, count):
        bits = (count - 1).bit_length()
        self.count, self.low_bits = count, bits // 2
        self.low_mask, self.high_mask = (1 << bits // 2) - 1, (1 << bits - bits // 2) - 1
        self.keys = [output(key, r) for r in range(8)]

    def walk(self, x, rounds):
        """x after the rounds, again until it is below the count."""
        while True:
            high, low = x >> self.low_bits, x & self.low_mask
            for r in rounds:
                if r % 2 == 0:
                    high ^= mix(self.keys[r] ^ low) & self.high_mask
                else:
                    low ^= mix(self.keys[r] ^ high) & self.low_mask
            x = high << self.low_bits | low
            if x < self.count:
                return x

    def image(self, place):
        return self.walk(place, range(8))

    def place(self, image):
        """The inverse."""
        return self.walk(image, range(7, -1, -1))


@functools.lru_cache(4096)
def permutation(key, count):
    return (Shuffle if count <= MOST_SHUFFLED else Permutation)(key, count)


# ---------------------------------------------------------------- 3 and 7: selections and quarantine lists

def bucket(name, row_id, count):
    """The number of a row, by its id, in a split of `count`."""
    return first_bytes(8, b"drshard-split", name.encode("utf-8"), row_id) * count // WORD


def select(row_ids, selection):
    """The rows of a data set that every part keeps, which are ("list", ids, whether they are excluded) and
    ("split", name, from, to, count) [R-ORDER-8]. Their places here are the numbers of the logical rows [R-ORDER-7]."""
    def keeps(part, row_id):
        if part[0] == "list":
            return (row_id in part[1]) != part[2]
        return part[2] <= bucket(part[1], row_id, part[4]) < part[3]
    return [row for row, row_id in enumerate(row_ids) if all(keeps(part, row_id) for part in selection)]


def read_quarantine(text, row_set, row_count):
    """The rows of a quarantine list, as rows of the data set [R-ORDER-21]."""
    head, *lines = text.removesuffix("\n").split("\n")
    digest = re.fullmatch(r"drshard-quarantine 1 ([0-9A-Fa-f]{32})", head)
    if not digest:
        raise ValueError(f"a quarantine list that begins with {head!r}")
    if int(digest[1], 16) != row_set:
        raise ValueError(f"a quarantine list of the rows {digest[1]}, and these are {row_set:032x}")
    rows = [re.fullmatch(r"([0-9]+)( # .*)?", line) for line in lines]
    for line, row in zip(lines, rows):
        if not row or int(row[1]) >= row_count:
            raise ValueError(f"a line of a quarantine list that is no row below {row_count}: {line!r}")
    return {int(row[1]) for row in rows}


# ---------------------------------------------------------------- 4 and 7: the rows of one set

class RowSet:
    """The logical rows of one set in the orders of a plan."""

    def __init__(self, plan, digest, count, quarantine):
        self.plan, self.digest, self.count, self.quarantine = plan, digest, count, frozenset(quarantine)

    def key(self, epoch, stream):
        require(epoch < WORD, f"epoch {epoch} of a set of the mix")
        return key(self.digest, self.plan.seed, epoch, stream)

    def lane_begin(self, lane):
        """[R-ORDER-12]"""
        return lane * self.count // self.plan.lanes

    def place_count(self, lane):
        return self.lane_begin(lane + 1) - self.lane_begin(lane)

    def row_at_position(self, epoch, position):
        if self.plan.order == "none":                                   # [R-ORDER-11]
            return position
        if self.plan.order == "global":                                 # [R-ORDER-10]
            return permutation(self.key(epoch, "rows"), self.count).image(position)
        size = self.plan.block_rows                                     # [R-ORDER-9]
        blocks = permutation(self.key(epoch, "blocks"), -(-self.count // size))
        short = blocks.count * size - self.count                        # rows that the last block lacks
        if position >= (blocks.place(blocks.count - 1) + 1) * size - short:
            position += short                                           # as if all blocks were whole
        return blocks.image(position // size) * size + position % size

    def row_at_place(self, epoch, lane, place):
        """The row of a place of a lane, for `blocks` and `global` [R-ORDER-13]."""
        begin = self.lane_begin(lane)
        if self.plan.order == "global":
            return self.row_at_position(epoch, begin + place)
        size = self.plan.block_rows * self.plan.window_blocks           # [R-ORDER-14]
        first = size - lane * size // self.plan.lanes
        window = 0 if place < first else 1 + (place - first) // size
        start = 0 if window == 0 else first + (window - 1) * size
        end = min(first + window * size, self.place_count(lane))
        shuffle = permutation(output(output(self.key(epoch, "windows"), lane), window), end - start)
        return self.row_at_position(epoch, begin + start + shuffle.image(place - start))

    def delivered(self, epoch, row):
        """The row, or its substitute [R-ORDER-20]."""
        if row not in self.quarantine:
            return row
        tries = output(self.key(epoch, "substitutes"), row)
        for a in range(MOST_TRIES):
            substitute = draw(tries, a, self.count)
            if substitute not in self.quarantine:
                return substitute
        raise ValueError(f"no substitute for row {row}: {len(self.quarantine)} of {self.count} rows are in quarantine")

    def variant(self, epoch, part, axes, row):
        """The number of the axis in its part, and the variant on it."""
        mode, block = self.plan.variants, row // self.plan.block_rows
        axis, visit = 0, epoch
        if len(axes) > 1:                                               # [R-ORDER-17]
            total, stream = sum(axis.weight for axis in axes), "choice " + part
            if mode == "epoch":
                ticket = epoch % total
            elif mode == "independent":
                ticket = draw(self.key(epoch, stream), row, total)
            else:
                cycle = output(self.key(epoch // total, stream), block)
                ticket = permutation(cycle, total).image(epoch % total)
            axis, ticket = holder(ticket, [axis.weight for axis in axes])
            visit = epoch // total * axes[axis].weight + ticket
        name, count, exchangeable, _ = axes[axis]                       # [R-ORDER-18]
        if mode == "epoch":
            return axis, visit % count
        if mode == "independent" or not exchangeable:
            return axis, draw(self.key(epoch, "axis " + name), row, count)
        cycle = output(self.key(visit // count, "axis " + name), block)
        return axis, permutation(cycle, count).image(visit % count)


def holder(ticket, weights):
    """Whose the ticket is, and which of its own."""
    for x, weight in enumerate(weights):
        if ticket < weight:
            return x, ticket
        ticket -= weight


def present_variant(counts, axis, variant, present):
    """What is delivered for a drawn variant, of a part whose axes have these counts; None if nothing is present.
    present(axis, variant) says whether all cells that were asked for are there [R-ORDER-19]."""
    for i in range(len(counts)):
        x, first = (axis + i) % len(counts), variant if i == 0 else 0
        for k in range(counts[x]):
            if present(x, (first + k) % counts[x]):
                return x, (first + k) % counts[x]
    return None


# ---------------------------------------------------------------- 1: the plan

def require(fact, reason):
    if not fact:
        raise ValueError(reason)


class Plan:
    """A plan in the form of the table, for the logical rows of its sets."""

    def __init__(self, form):
        lacking = [name for name in FIELDS if name not in form]
        require(not lacking, "a plan without " + ", ".join(lacking))
        self.form, self.seed = form, int(form["seed"], 16)
        self.batch_size, self.lanes = form["batch_size"], form["lanes"]
        self.block_rows, self.window_blocks = form["block_rows"], form["window_blocks"]
        self.order, self.variants, self.tail = form["order"], form["variants"], form["tail"]
        require(set(form["parts"]) == set(PARTS), "parts: not " + ", ".join(PARTS))
        for axis in sum(form["parts"].values(), []):
            require(set(axis) == set(Axis._fields), f"parts: an axis has {', '.join(Axis._fields)}, not {axis}")
        self.parts = {part: [Axis(**axis) for axis in form["parts"][part]] for part in PARTS}
        self.weights = form["weights"]
        self.check_numbers()
        self.sets = [RowSet(self, int(digest, 16), count, rows) for digest, count, rows
                     in zip(form["row_sets"], form["row_counts"], form["quarantine"])]
        self.check_sets()
        self.lane_rows = self.batch_size // self.lanes                  # b of the text
        self.key = key(self.mix_digest(), self.seed, 0, "mix")          # K of the text

    def check_numbers(self):
        """[R-ORDER-2]"""
        for name, most in (("batch_size", MOST_ROWS), ("lanes", MOST_LANES), ("block_rows", MOST_ROWS),
                           ("window_blocks", MOST_ROWS)):
            require(1 <= self.form[name] <= most, f"{name} is {self.form[name]}, and not from 1 to {most}")
        require(self.batch_size % self.lanes == 0,                      # [R-ORDER-1]
                f"lanes: {self.lanes} do not divide a batch_size of {self.batch_size}")
        require(0 <= self.seed < WORD, "seed is not below 2^64")
        for name, known in (("order", ORDERS), ("variants", MODES), ("tail", TAILS)):
            require(self.form[name] in known, f"{name} is {self.form[name]!r}, and not one of {', '.join(known)}")
        for part, axes in self.parts.items():
            require(all(axis.count >= 1 for axis in axes), f"{part}: an axis without variants")
            require(len({axis.name for axis in axes}) == len(axes), f"{part}: an axis occurs twice")
        weights = [(part, [axis.weight for axis in axes]) for part, axes in self.parts.items()]
        for name, own in weights + [("weights", self.weights)]:
            require(all(weight >= 1 for weight in own), f"{name}: a weight below 1")
            require(sum(own) <= MOST_WEIGHT, f"{name}: the sum of the weights is {sum(own)}, above {MOST_WEIGHT}")

    def check_sets(self):
        count, steps = len(self.sets), self.form["epoch_steps"]
        for name in ("row_sets", "row_counts", "weights", "quarantine"):
            require(1 <= count == len(self.form[name]), f"{name}: {len(self.form[name])} for {count} sets")
        for own in self.sets:
            require(0 <= own.count <= MOST_COUNT and all(0 <= row < own.count for row in own.quarantine),
                    f"quarantine: a row that is not below {own.count}")
        if count > 1:                                                   # [R-ORDER-22]
            require(self.order != "none", "order: several sets are not mixed in the order none")
            require(all(own.count >= self.lanes for own in self.sets),
                    f"row_counts: a set of a mix has fewer rows than the {self.lanes} lanes")
            require(steps is None or steps >= 1, "epoch_steps is below 1")
            require(self.tail == "drop", "tail: that of a mix can only be drop")
            return
        require(steps is None, "epoch_steps: only an epoch of several sets has a number of steps")
        require(self.weights == [1], "weights: the weight of a single set is 1")
        require(self.tail != "pad" or self.order == "none" or not 0 < self.sets[0].count < self.lanes,
                f"tail: pad needs a row for each of the {self.lanes} lanes")      # [R-ORDER-16]

    def mix_digest(self):
        """[R-ORDER-22]"""
        return first_bytes(16, b"drshard-mix", *(own.digest.to_bytes(16, "little") + weight.to_bytes(4, "little")
                                                 for own, weight in zip(self.sets, self.weights)))

    # ------------------------------------------------------------ 5 and 8: batches

    def step_count(self):
        """[R-ORDER-16]; of a mix [R-ORDER-23]."""
        count = sum(own.count for own in self.sets)
        if len(self.sets) > 1:
            return count // self.batch_size if self.form["epoch_steps"] is None else self.form["epoch_steps"]
        return count // self.batch_size + (self.tail != "drop" and count % self.batch_size != 0)

    def batch(self, epoch, step):
        """The slots of the global batch [R-ORDER-15]."""
        return self.rank_batch(epoch, step, 0, 1)

    def rank_batch(self, epoch, step, rank, world):
        """The slots of one rank [R-ORDER-15]."""
        require(world >= 1 and self.lanes % world == 0, f"world: {world} ranks do not divide {self.lanes} lanes")
        require(0 <= rank < world, f"rank {rank} of {world}")
        require(0 <= epoch < MOST_EPOCHS, f"epoch {epoch}")
        require(len(self.sets) == 1 or (epoch + 1) * self.step_count() * self.lane_rows <= MOST_PLACES,
                f"epoch {epoch} of a mix lies too far ahead")
        require(0 <= step < self.step_count(), f"step {step} of an epoch of {self.step_count()}")
        slots = self.mix_slots if len(self.sets) > 1 else self.lane_slots
        lanes = range(rank * self.lanes // world, (rank + 1) * self.lanes // world)
        return [slot for lane in lanes for slot in slots(epoch, step, lane)]

    def lane_slots(self, epoch, step, lane):
        """One set: the slots of a lane [R-ORDER-12], and at the end what the tail says [R-ORDER-16]."""
        rows, size = self.sets[0], self.lane_rows
        for q in range(step * size, (step + 1) * size):
            if self.order == "none":                                    # [R-ORDER-13]
                place, count = q // size * self.batch_size + lane * size + q % size, rows.count
            else:
                place, count = q, rows.place_count(lane)
            if place < count or self.tail == "pad":
                yield self.slot(lane, 0, epoch, place % count, place >= count)

    def mix_slots(self, epoch, step, lane):
        """Several sets: the slots of a lane [R-ORDER-23]."""
        first, total = (epoch * self.step_count() + step) * self.lane_rows, sum(self.weights)
        for place in range(first, first + self.lane_rows):
            period, i = divmod(place, total)
            ticket = permutation(output(output(self.key, lane), period), total).image(i)
            x, own = holder(ticket, self.weights)
            yield self.slot(lane, x, *divmod(period * self.weights[x] + own, self.sets[x].place_count(lane)), False)

    def slot(self, lane, x, epoch, place, repeated):
        rows = self.sets[x]
        named = place if self.order == "none" else rows.row_at_place(epoch, lane, place)
        return Slot(lane, x, epoch, named, rows.delivered(epoch, named), repeated)

    def variant(self, slot, part):
        """(number of the axis in the part, variant) of a slot; None if the part has no axis."""
        axes = self.parts[part]
        return self.sets[slot.set].variant(slot.epoch, part, axes, slot.row) if axes else None

    # ------------------------------------------------------------ 9: state

    def state(self, epoch, step):
        """[R-ORDER-24]"""
        same = ("batch_size", "lanes", "block_rows", "window_blocks", "order", "variants", "tail")
        return dict(plan_version=PLAN_VERSION, row_sets=[f"{own.digest:032x}" for own in self.sets], seed=self.seed,
                    **{name: self.form[name] for name in same},
                    parts={part: [axis._asdict() for axis in axes] for part, axes in self.parts.items()},
                    weights=self.weights, epoch_steps=self.form["epoch_steps"], epoch=epoch, step=step)

    def resume(self, state):
        """The epoch and the next step of a state, if this plan made it [R-ORDER-25]."""
        epoch, step = state.get("epoch"), state.get("step")
        own = self.state(epoch, step)
        differing = sorted(name for name in own.keys() | state.keys() if name not in own or name not in state
                           or own[name] != state[name])
        require(not differing, "the state of another plan or other rows: " + ", ".join(
            f"{name} is {state.get(name)!r}, and here {own.get(name)!r}" for name in differing))
        return epoch, step


# ---------------------------------------------------------------- the commands

def explain(path, epoch, step):
    with open(path, encoding="utf-8") as file:
        plan = Plan(json.load(file))
    batch = plan.batch(epoch, step)
    yield f"epoch {epoch} step {step} of {plan.step_count()}: {len(batch)} rows"
    for number, slot in enumerate(batch):
        words = [f"slot {number} lane {slot.lane} set {slot.set} epoch {slot.epoch} row {slot.row}"]
        if slot.row != slot.named:
            words.append(f"for {slot.named}")
        for part in filter(plan.parts.get, PARTS):
            axis, variant = plan.variant(slot, part)
            words.append(f"{part}={plan.parts[part][axis].name}:{variant}")
        yield " ".join(words + ["repeated"] * slot.repeated)


def main(arguments):
    import order_table
    if arguments == ["table"]:
        sys.stdout.write(order_table.table())
    elif arguments == ["--check"]:
        return order_table.check(os.path.join(HERE, "vectors", "order.json"))
    elif len(arguments) == 4 and arguments[0] == "explain" and arguments[2].isdigit() and arguments[3].isdigit():
        try:
            for line in explain(arguments[1], int(arguments[2]), int(arguments[3])):
                print(line)
        except (OSError, ValueError) as error:
            print(error, file=sys.stderr)
            return 1
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    import order                                                        # one copy of the classes for all modules
    sys.exit(order.main(sys.argv[1:]))
