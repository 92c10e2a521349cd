"""The table of results of ORDER.md, vectors/order.json, and checks of what the text promises."""
import collections
import hashlib
import itertools
import json

import order
from decoder_base import P
from order import MODES, ORDERS, PARTS, TAILS, Plan


def digest(name):
    return f"{int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], 'little') % P:032x}"


def hex64(number):
    return f"{number:016x}"


def axis(name, count, exchangeable=True, weight=1):
    return dict(name=name, count=count, exchangeable=exchangeable, weight=weight)


SIMPLE = dict(view=[axis("view", 10)], real=[axis("real", 1, False)], synthetic=[axis("synthetic", 5)])
SEVERAL = dict(view=[axis("view", 6)], real=[axis("alt", 1), axis("titles", 3, False)],
               synthetic=[axis("coca", 3, weight=2), axis("blip", 2), axis("long", 4, False, 3)])
VIEWS = dict(view=[axis("view", 4)], real=[], synthetic=[])


def plan(count, **changes):
    """A plan in the form of the table: of one set of `count` rows, or of several."""
    counts = count if isinstance(count, list) else [count]
    form = dict(row_sets=[digest(f"set {x} of {n} rows") for x, n in enumerate(counts)], row_counts=counts,
                seed=hex64(0), batch_size=12, lanes=3, block_rows=4, window_blocks=2, order="blocks",
                variants="balanced", tail="short" if len(counts) == 1 else "drop", parts=SIMPLE,
                weights=[1] * len(counts), epoch_steps=None, quarantine=[[] for _ in counts])
    assert set(changes) <= set(form), changes
    return dict(form, **changes)


# ---------------------------------------------------------------- the cases

def cases():
    """(plan, epoch, steps, or None for all of them)."""
    for n, (row_order, tail) in enumerate(itertools.product(ORDERS, TAILS)):
        for epoch in (0, 1):
            yield plan(53, order=row_order, tail=tail, variants=MODES[n % 3], seed=hex64(n)), epoch, None
    for count, row_order in itertools.product((0, 1, 2, 3, 5, 7), ORDERS):                      # few rows
        tail = "short" if row_order != "none" and count < 3 else "pad"
        yield plan(count, order=row_order, tail=tail, batch_size=6, parts=VIEWS), 1, None
    yield plan(48, order="global", tail="pad", parts=VIEWS), 0, None                            # no tail
    yield plan(0, tail="pad", parts=VIEWS), 0, None
    for mode in MODES:                                                                          # variants
        for epoch in (0, 1, 2, 3, 5, 6, 10 ** 12):
            yield plan(11, variants=mode, parts=SEVERAL, batch_size=4, lanes=2, seed="fedcba9876543210"), epoch, None
    for row_order in ("global", "none"):
        yield plan(23, order=row_order, parts=SEVERAL, batch_size=8, lanes=1, block_rows=3), 4, None
    for epoch in (0, 3, 2 ** 52):                                                               # lanes and windows
        yield plan(61, lanes=1, batch_size=7, seed="ffffffffffffffff", parts=VIEWS), epoch, None
    yield plan(1000, lanes=24, batch_size=48, block_rows=16, window_blocks=1, parts=VIEWS), 2, [0, 9, 20]
    yield plan(1003, lanes=24, batch_size=24, block_rows=16, window_blocks=8, tail="pad", parts=VIEWS), 2, [0, 40, 41]
    yield plan(50, window_blocks=3, block_rows=7, parts=VIEWS), 0, None
    yield plan(50, window_blocks=9, block_rows=4, parts=VIEWS), 0, None
    yield plan(50, window_blocks=2 ** 31, block_rows=2 ** 31, parts=VIEWS), 0, None             # j · W has 64 bits
    yield plan(50, window_blocks=1, block_rows=1, parts=VIEWS), 0, None
    yield plan(50, window_blocks=5, block_rows=1, parts=VIEWS), 1, None
    yield plan(50, window_blocks=2, block_rows=64, parts=VIEWS), 1, None                        # one block
    for row_order in ORDERS:                                                                    # quarantine
        yield plan(31, order=row_order, tail="pad", quarantine=[[0, 1, 2, 3, 9, 17, 18, 19, 20, 30]]), 1, None
    two = plan([20, 33], weights=[2, 1], parts=SEVERAL)                                         # mixes
    for epoch in range(4):
        yield two, epoch, None
    yield dict(two, epoch_steps=3), 2 ** 40, None
    three = plan([40, 9, 17], weights=[3, 2, 2], batch_size=6, epoch_steps=7, variants="independent", parts=VIEWS,
                 quarantine=[[], [1, 4], [16]])
    for row_order, epoch in itertools.product(("global", "blocks"), (0, 1)):
        yield dict(three, order=row_order), epoch, None
    yield plan([30, 30], weights=[999, 1], order="global", variants="epoch", parts=VIEWS), 5, [0, 1]
    many = plan(10 ** 9 + 7, lanes=8, batch_size=32, block_rows=256, window_blocks=128)         # a billion rows
    for row_order in ORDERS:
        yield dict(many, order=row_order), 90, [0, 12_345_678, 31_250_000]


def entry(form, epoch, steps):
    made = Plan(form)
    found = []
    for step in range(made.step_count()) if steps is None else steps:
        batch = made.batch(epoch, step)
        found.append(dict(step=step, rows=[slot.row for slot in batch], named=[slot.named for slot in batch],
                          sets=[slot.set for slot in batch], repeated=[i for i, s in enumerate(batch) if s.repeated],
                          **{part: [made.variant(s, part) for s in batch if made.parts[part]] for part in PARTS}))
    return dict(plan=form, epoch=epoch, step_count=made.step_count(), steps=found)


def key_entries():
    streams = ("rows", "blocks", "windows", "mix", "substitutes", "choice synthetic", "axis view", "axis Höhe 2", "")
    numbers = [(0, 0, 0), (P - 1, 2 ** 64 - 1, 2 ** 64 - 1), (int(digest("a"), 16), 1, 2), (1, 2, 1 << 63)]
    for number, (row_set, seed, epoch) in enumerate(numbers):
        for stream in streams if number == 2 else streams[:1]:
            yield dict(row_set=f"{row_set:032x}", seed=hex64(seed), epoch=hex64(epoch), stream=stream,
                       key=hex64(order.key(row_set, seed, epoch, stream)))


KEYS = (0, 1, 0xFEDCBA9876543210, 2 ** 64 - 1)
COUNTS = (1, 2, 3, 5, 10, 1000, 10 ** 9, 2 ** 62 + 1, 2 ** 63 - 1)


def draw_entries():
    for key, n, count in itertools.product(KEYS, (0, 1, 2 ** 63, 2 ** 64 - 1), (1, 2, 10, 10 ** 9, 2 ** 63 - 1)):
        yield dict(key=hex64(key), n=hex64(n), count=hex64(count), draw=hex64(order.draw(key, n, count)))


def permutation_entries():
    for key, count in itertools.product(KEYS, COUNTS):
        places = sorted({i * (count - 1) // 9 for i in range(10)})
        images = [order.permutation(key, count).image(place) for place in places]
        yield dict(key=hex64(key), count=hex64(count), places=list(map(hex64, places)), images=list(map(hex64, images)))


def split_entries():
    ids = [b"", b"\0", b"a", b"a\0"] + [hashlib.sha256(bytes([i])).digest()[:16] for i in range(16)]
    for name, count in (("", 100), ("", 1), ("validation", 2), ("validation", 1000), ("Prüfung", 2 ** 32 - 1)):
        yield dict(name=name, count=count, ids=[row_id.hex() for row_id in ids],
                   buckets=[order.bucket(name, row_id, count) for row_id in ids])


def table():
    lists = dict(keys=key_entries(), draws=draw_entries(), permutations=permutation_entries(), splits=split_entries(),
                 epochs=itertools.starmap(entry, cases()))

    def lines(entries):
        return ",\n".join("  " + json.dumps(case, separators=(",", ":")) for case in entries)
    return "{\n%s\n}\n" % ",\n".join(f' "{name}": [\n{lines(entries)}\n ]' for name, entries in lists.items())


# ---------------------------------------------------------------- what the text promises

def check_numbers():
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    yield "SplitMix64 of the seed 1234567", [order.output(1234567, n) for n in range(4)] == known
    for count in [*range(1, 70), 1000]:
        made = [order.permutation(key, count) for key in range(20)]
        images = [list(map(own.image, range(count))) for own in made]
        yield f"permutations of {count} are bijections", all(sorted(own) == list(range(count)) for own in images)
        yield f"inverses of {count}", all([one.place(image) for image in own] == list(range(count))
                                          for one, own in zip(made, images))
    for key, count in itertools.product(KEYS, COUNTS):
        made = order.permutation(key, count)
        places = range(0, count, count // 9 + 1)
        yield f"inverse {key} {count}", all(made.place(made.image(place)) == place for place in places)
    for count, orders in ((3, 6), (4, 24), (5, 120)):
        found = {tuple(map(order.permutation(order.output(7, n), count).image, range(count))) for n in range(6000)}
        yield f"all orders of {count} occur", len(found) == orders


def check_tails(form, epoch):
    plans = {tail: Plan(dict(form, tail=tail)) for tail in TAILS if tail != "pad" or form["order"] == "none"
             or form["row_counts"][0] >= form["lanes"]}
    slots = {tail: [made.batch(epoch, step) for step in range(made.step_count())] for tail, made in plans.items()}
    about = f"{form['order']} N={form['row_counts'][0]} L={form['lanes']} epoch {epoch}"
    rows = sorted(slot.row for batch in slots["short"] for slot in batch)
    yield about + ": short has every row once", rows == list(range(form["row_counts"][0]))
    yield about + ": drop is a prefix of short", slots["drop"] == slots["short"][:len(slots["drop"])]
    yield about + ": full steps are full", all(len(batch) == form["batch_size"] for batch in slots["drop"])
    if "pad" in slots:
        alone = [[slot for slot in batch if not slot.repeated] for batch in slots["pad"]]
        yield about + ": pad without repetitions is short", alone == slots["short"]
        yield about + ": steps of pad are full", all(len(batch) == form["batch_size"] for batch in slots["pad"])
    worlds = [world for world in range(1, form["lanes"] + 1) if form["lanes"] % world == 0]
    for (tail, made), world in itertools.product(plans.items(), worlds):
        yield f"{about}: {tail}, {world} ranks join to the batch", all(
            sum((made.rank_batch(epoch, step, rank, world) for rank in range(world)), []) == batch
            for step, batch in enumerate(slots[tail]))


def long_way(made, epoch):
    """The rows of each lane of `blocks`, by making the whole sequence and cutting it."""
    own, size = made.sets[0], made.block_rows * made.window_blocks
    blocks = [range(first, min(first + made.block_rows, own.count)) for first in range(0, own.count, made.block_rows)]
    shuffle = order.permutation(own.key(epoch, "blocks"), len(blocks))
    sequence = [row for p in range(len(blocks)) for row in blocks[shuffle.image(p)]]
    for j in range(made.lanes):
        lane = sequence[j * own.count // made.lanes:(j + 1) * own.count // made.lanes]
        ends = [size - j * size // made.lanes]
        while ends[-1] < len(lane):
            ends.append(ends[-1] + size)
        windows = [lane[first:end] for first, end in zip([0] + ends, ends)]
        keys = [order.output(order.output(own.key(epoch, "windows"), j), v) for v in range(len(windows))]
        yield [window[order.permutation(keys[v], len(window)).image(i)]
               for v, window in enumerate(windows) for i in range(len(window))]


def check_orders():
    sizes = itertools.product((0, 1, 4, 47, 60), (1, 3, 6), (1, 4, 50), (1, 3), ORDERS)
    for count, lanes, size, blocks, row_order in sizes:
        form = plan(count, lanes=lanes, block_rows=size, window_blocks=blocks, order=row_order, parts=VIEWS)
        yield from check_tails(form, 1)
        if row_order == "blocks":
            made = Plan(form)
            slots = [slot for step in range(made.step_count()) for slot in made.batch(1, step)]
            found = [[slot.row for slot in slots if slot.lane == lane] for lane in range(lanes)]
            yield f"blocks of {size}, {blocks} in a window, N={count} L={lanes}", found == list(long_way(made, 1))


def check_variants():
    several = [axis("a", 3, weight=2), axis("b", 2), axis("c", 5, weight=2)]
    for axes, epochs in (([axis("view", 10)], 10), (several, 150)):
        rows = Plan(plan(40)).sets[0]
        expected = {(x, v): epochs * own["weight"] // sum(a["weight"] for a in axes) // own["count"]
                    for x, own in enumerate(axes) for v in range(own["count"])}
        axes = [order.Axis(**own) for own in axes]
        for start, row in itertools.product((0, 3 * epochs), (0, 5, 39)):
            found = collections.Counter(rows.variant(e, "view", axes, row) for e in range(start, start + epochs))
            yield f"balanced shows row {row} every variant as often from epoch {start} on", found == expected
    have = {(0, 1), (2, 0), (2, 3)}.__contains__
    for drawn, there in (((0, 1), (0, 1)), ((0, 2), (0, 1)), ((1, 1), (2, 0)), ((2, 1), (2, 3)), ((2, 4), (2, 0))):
        yield f"{drawn} falls back to {there}", order.present_variant((3, 2, 5), *drawn, lambda *at: have(at)) == there
    yield "nothing is present", order.present_variant((3, 2), 1, 1, lambda *at: False) is None


def check_mixes():
    for counts, weights, row_order in itertools.product(([20, 33], [7, 41]), ([2, 1], [3, 4]), ("blocks", "global")):
        made, total = Plan(plan(counts, weights=weights, order=row_order)), sum(weights)
        about = f"mix of {counts} with {weights} in {row_order}: "
        lanes = [[] for _ in range(3)]
        for epoch, step in itertools.product(range(30), range(made.step_count())):
            for slot in made.batch(epoch, step):
                lanes[slot.lane].append(slot)
        periods = [lane[i:i + total] for lane in lanes for i in range(0, len(lane) - total + 1, total)]
        yield about + "every period has the weights", all([sum(s.set == x for s in period) for x in range(2)] == weights
                                                          for period in periods)
        for x, count in enumerate(counts):
            first = [slot.named for lane in lanes for slot in lane if (slot.set, slot.epoch) == (x, 1)]
            yield f"{about}epoch 1 of set {x} has every row once", sorted(first) == list(range(count))


def check_substitutes():
    bad = [0, 1, 2, 3, 9, 17, 30]
    for row_order in ORDERS:
        with_list, without = (Plan(plan(31, order=row_order, quarantine=[rows])) for rows in (bad, []))
        pairs = [pair for step in range(3) for pair in zip(with_list.batch(2, step), without.batch(2, step))]
        yield row_order + ": no row of the list", not any(own.row in bad for own, _ in pairs)
        yield row_order + ": other rows stay", all(own.named == other.row and (own.row == own.named or own.named in bad)
                                                   for own, other in pairs)
    text = f"drshard-quarantine 1 {digest('a')}\n3\n0 # a page with a wrong checksum\n"
    yield "a list is read", order.read_quarantine(text, int(digest("a"), 16), 4) == {0, 3}
    for change in ("3", "x", "3 #", "-1"):
        yield "a list is refused: " + change, refused(lambda: order.read_quarantine(text + change, 0, 3), "quarantine")


def refused(action, *words):
    try:
        action()
    except ValueError as error:
        return all(word in str(error) for word in words)
    return False


def check_refusals():
    bad = [dict(batch_size=0), dict(lanes=5), dict(lanes=0), dict(block_rows=0), dict(block_rows=2 ** 31 + 1),
           dict(window_blocks=0), dict(order="random"), dict(variants="all"), dict(tail="wrap"), dict(epoch_steps=5),
           dict(weights=[2]), dict(weights=[1, 1]), dict(parts=dict(SIMPLE, view=[axis("view", 0)])),
           dict(parts=dict(SIMPLE, view=[axis("a", 1, weight=65_536), axis("b", 1)])), dict(quarantine=[[53]]),
           dict(parts=dict(SIMPLE, view=[axis("a", 1), axis("b", 1, weight=0)])), dict(batch_size=2 ** 31 + 3)]
    for change in bad:
        name = "view" if "parts" in change else next(iter(change))
        yield f"refused: {change}", refused(lambda: Plan(plan(53, **change)), name)
    two = [9, 9]
    for form, name in ((plan(2, tail="pad"), "tail"), (plan([9, 2]), "row_counts"), (plan(two, order="none"), "order"),
                       (plan(two, weights=[65_535, 2]), "weights"), (plan(two, epoch_steps=0), "epoch_steps"),
                       (plan(two, tail="short"), "tail")):
        yield f"refused: {name} of {form}", refused(lambda: Plan(form), name)
    made = Plan(plan(53, parts=SEVERAL))
    yield "no such step", refused(lambda: made.batch(0, 5), "step 5 of an epoch of 5")
    yield "2 ranks of 3 lanes", refused(lambda: made.rank_batch(0, 0, 0, 2), "world")
    everything = Plan(plan(3, quarantine=[[0, 1, 2]]))
    yield "nothing but quarantine", refused(lambda: everything.batch(0, 0), "no substitute")
    state = json.loads(json.dumps(made.state(7, 3)))
    yield "a state goes on", made.resume(state) == (7, 3)
    for name, value in (("seed", 1), ("row_set", [digest("b")]), ("plan_version", 3), ("ranks", 2), ("weights", [2]),
                        ("parts", dict(state["parts"], real={"titles": 1, "alt": 1}))):
        yield f"a state is refused: {name}", refused(lambda: made.resume(dict(state, **{name: value})), name + " is")
    ids = [bytes([i]) for i in range(200)]
    parts = [("split", "train", i, i + 1, 3) for i in range(3)]
    sides = [order.select(ids, [part]) for part in parts]
    yield "the sides of a split are the rows", sorted(sum(sides, [])) == list(range(200)) and all(sides)
    kept = order.select(ids, [parts[0], ("list", {ids[row] for row in sides[0][:5]}, True)])
    yield "all parts of a selection keep a row", kept == sides[0][5:]


def check(path):
    """Prints what is wrong and how many checks passed; the exit code."""
    try:
        with open(path, encoding="utf-8") as file:
            stored = file.read()
    except FileNotFoundError:
        stored = ""
    made = table().splitlines()
    results = [("order.json: " + line[:300], line in set(stored.splitlines())) for line in made]
    results.append(("order.json has the table, and nothing else", stored.splitlines() == made))
    for group in (check_numbers, check_orders, check_variants, check_mixes, check_substitutes, check_refusals):
        results += group()
    failed = [name for name, right in results if not right]
    for name in failed:
        print(name)
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0
