//! What the shop sells. All of it is made up.

/// Name, price in cents, pieces in the house.
pub(crate) const PRODUCTS: [(&str, i64, u32); 24] = [
    ("Analytical Engine, desk size", 129_900, 40),
    ("Brass gear, 64 teeth", 450, 5_000),
    ("Punched card, pack of 100", 1_250, 3_000),
    ("Difference slide rule", 3_900, 800),
    ("Moth, taped", 999, 120),
    ("Nanosecond of wire, 30 cm", 199, 10_000),
    ("Compiler manual, first edition", 8_900, 60),
    ("Teletype ribbon, black", 720, 2_000),
    ("Core memory, 64 bytes", 15_500, 90),
    ("Vacuum tube, pair", 2_400, 700),
    ("Drum storage, 2 KiB", 48_000, 25),
    ("Toggle switch, red", 310, 6_000),
    ("Patch cable, 1 m", 590, 4_000),
    ("Abacus, pear wood", 4_200, 300),
    ("Log table, bound", 2_750, 500),
    ("Rotor, five wirings", 11_900, 150),
    ("Paper tape, 200 m", 840, 1_500),
    ("Blinking light, green", 260, 8_000),
    ("Lab coat with pockets", 5_400, 220),
    ("Stored program, blank", 1_600, 1_000),
    ("Quill, ready cut", 380, 900),
    ("Sealed envelope", 150, 2_500),
    ("Clock, stopped", 6_700, 75),
    ("Last one of its kind", 25_000, 1),
];
