//! Throws random bytes, mutated statements and mutated stored texts at the `if` dialect, from
//! fixed seeds: nothing may panic, answers repeat, and steps stay within their limit.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use pumice_model::condition::{Condition, DIALECT, Row};
use pumice_model::limits::CONDITION_MAX_STEPS;

const DATA: &str = r#"{"a": 1, "b": [1, 2.5, "x", null, true], "c": {"d": {"e": "\ud83d\ude00"}},
    "s": "text \u00e9 \ud800", "n": -9223372036854775808, "f": 1e308, "g": 1e999}"#;

const STATEMENTS: [&str; 16] = [
    "data == null",
    "pk == nil || sk != 'a' && _updated_at > 1",
    "data.c.d.e == \"\\U0001F600\"",
    "data?.c?.d.x ?? 'y' == 'z'",
    "(data.a ?? 1.5e3) + 0x1f - -2 * 3 / 4 % 5 >= 6",
    "all(data.b, {# != nil}) ? true : data.a == 1",
    "none(map(data.b, {[#, {k: #}]}), {#[0] in data.b})",
    "one(filter(data.b, # == 1), {.x == 1}) or any([[1], [2]], {count(#, {# > 1}) == 1})",
    "data.s[1:] contains `é` and data.s[:-1] not endsWith 'x'",
    "data.s matches '^(t|e)+[a-z]* .{1,3}$'",
    "len(data.s) == int('12') and abs(data.n) > float(\".5\")",
    "'a' not in data and not (data.b[-1] == true) /* c */ // d",
    "data['c'][\"d\"] == {'e': 1, (pk + sk): [1, 2, 3,],}",
    "data.s + data.s + data.s < 'z' ?: false",
    "!!!!(((((data.a)))) == 1)",
    "data.n - 1 < data.f * 10",
];

const FRAGMENTS: [&str; 40] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "#",
    ".",
    "?.",
    "??",
    "?",
    ":",
    ",",
    "..",
    "**",
    "^",
    "!",
    "not ",
    " in ",
    " matches ",
    "'",
    "\"",
    "`",
    "\\",
    "\\u",
    "//",
    "/*",
    "*/",
    "data",
    "nil",
    "1",
    "1e9",
    "0x",
    ".5",
    "all(",
    "len(",
    "é",
    "\u{a0}",
    "\0",
    "\n",
];

/// Splitmix64: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn mutated(&mut self, text: &str, other: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let to = (at + self.below(8)).min(bytes.len());
            match self.below(5) {
                0 => drop(bytes.drain(at..to)),
                1 => drop(bytes.splice(at..to, self.pick(&FRAGMENTS).bytes())),
                2 => drop(bytes.splice(at..at, self.pick(&FRAGMENTS).bytes())),
                3 => {
                    let from = self.below(other.len());
                    drop(bytes.splice(at..to, other.bytes().skip(from).take(12)));
                }
                _ => {
                    let copy = bytes[at..to].repeat(1 + self.below(20));
                    drop(bytes.splice(at..at, copy));
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Whether it parsed, and whether it judged the existing row without an error.
fn check(statement: &str, data: &str) -> (bool, bool) {
    let Ok(condition) = Condition::parse(DIALECT, statement) else {
        return (false, false);
    };
    let row = Row { pk: "a", sk: "b", data: Some(data), created_at: 1, updated_at: i64::MAX };
    let mut answered = false;
    for row in [None, Some(&Row { data: None, ..row }), Some(&row)] {
        let (answer, steps) = condition.judge_counted(row);
        assert!(steps <= CONDITION_MAX_STEPS, "{statement}");
        assert_eq!(answer, condition.judge(row), "{statement}");
        answered = answer.is_ok();
    }
    (true, answered)
}

#[test]
fn random_bytes() {
    let mut random = Random(1);
    for _ in 0..20_000 {
        let length = random.below(64);
        let bytes: Vec<u8> = (0..length).map(|_| random.next().to_le_bytes()[0]).collect();
        check(&String::from_utf8_lossy(&bytes), DATA);
        let fragments = random.below(40);
        let text: String = (0..fragments).map(|_| random.pick(&FRAGMENTS)).collect();
        check(&text, DATA);
        check("data.a == 1", &String::from_utf8_lossy(&bytes));
        check("data.a == 1", &text);
    }
}

#[test]
fn mutated_statements() {
    let mut random = Random(2);
    let (mut parsed, mut answered) = (0, 0);
    let cases = 60_000;
    for _ in 0..cases {
        let (one, other) = (random.pick(&STATEMENTS), random.pick(&STATEMENTS));
        let (did_parse, did_answer) = check(&random.mutated(one, other), DATA);
        parsed += usize::from(did_parse);
        answered += usize::from(did_answer);
    }
    println!("{parsed} of {cases} mutated statements parsed, {answered} gave an answer");
    assert!(parsed > cases / 20 && answered > cases / 50, "the mutations are too wild");
}

#[test]
fn mutated_stored_texts() {
    let mut random = Random(3);
    let mut answered = 0;
    for _ in 0..30_000 {
        let data = random.mutated(DATA, DATA);
        answered += usize::from(check("data.c == data.c or data.b != nil", &data).1);
    }
    assert!(answered > 300, "the mutations are too wild: {answered} texts could be read");
}

#[test]
fn unmutated_statements_parse() {
    for statement in STATEMENTS {
        let (parsed, _) = check(statement, DATA);
        let is_mixed = statement.contains("?? 'y' ==");
        assert_eq!(parsed, !is_mixed, "{statement}");
    }
}
