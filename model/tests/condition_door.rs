//! What the door refuses: literals it cannot read, statements that are no bool by their shape,
//! sizes past their limits; and how judging is bounded and what errors say.
//! Each line is a statement and what it must give; a changed line is a changed dialect.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use pumice_model::condition::{Condition, DIALECT, JudgeError, Kind, ParseError, Row};
use pumice_model::limits::{
    CONDITION_MAX_BYTES, CONDITION_MAX_DEPTH, CONDITION_MAX_NODES, CONDITION_MAX_STEPS,
};

const DATA: &str = r#"{"hey": "ho", "n": 7, "flag": true, "list": [1, 2, 3], "deep": {"a": {}},
    "emoji": "\ud83d\ude00", "wide": 9223372036854775808}"#;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Gives {
    True,
    False,
    /// Judging fails, whatever the reason.
    Fails,
    /// The door refuses it.
    Refused,
}
use Gives::{Fails, False, Refused, True};

fn existing() -> Row<'static> {
    Row { pk: "pk1", sk: "sk1", data: Some(DATA), created_at: 5, updated_at: 9 }
}

fn gives(statement: &str, row: Option<&Row<'_>>) -> Gives {
    let Ok(condition) = Condition::parse(DIALECT, statement) else {
        return Refused;
    };
    match condition.judge(row) {
        Ok(true) => True,
        Ok(false) => False,
        Err(_) => Fails,
    }
}

#[track_caller]
fn check(row: Option<&Row<'_>>, table: &[(&str, Gives)]) {
    let mut wrong = Vec::new();
    for (statement, expected) in table {
        let given = gives(statement, row);
        if given != *expected {
            wrong.push(format!("{statement}\n    expected {expected:?}, gave {given:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn judge_error(statement: &str, row: Option<&Row<'_>>) -> JudgeError {
    Condition::parse(DIALECT, statement).unwrap().judge(row).unwrap_err()
}

fn parse_error(statement: &str) -> ParseError {
    Condition::parse(DIALECT, statement).unwrap_err()
}

#[test]
fn literals() {
    check(
        Some(&existing()),
        &[
            ("true", True),
            ("false", False),
            ("1_000 == 1000 && 0x1F == 31 && 007 == 7", True),
            (".5 == 0.5 && 1. == 1 && 1e3 == 1000 && 1.5E-1 == 0.15", True),
            (r#""a" == 'a' && "a" == `a`"#, True),
            (r#""\x41\u00e9\101\t\"\'\\" == "Aé\u0041\x09\u0022\x27\x5c""#, True),
            (r#""\U0001F600" == data.emoji"#, True),
            (r#"`\n` == "\\n""#, True),
            ("[1, 'a', nil,] == [1.0, 'a', null]", True),
            ("[] == []", True),
            (r#"{a: 1, "b": 2, 3: 4, ("c" + "d"): 5,}.cd == 5"#, True),
            (r#"{a: 1, b: 2} == {"b": 2, "a": 1.0}"#, True),
            (r#"{1.50: 1}["1.50"] == 1"#, True),
            ("{a: 1, a: 2}.a == 2", True),
            ("{(1): 2} == {}", Fails),
            ("true // the rest is a comment", True),
            ("/* nothing */ true /* here */", True),
            ("9223372036854775807 == data.wide", False),
            ("9223372036854775808 == 1", Refused),
            ("0x8000000000000000 == 1", Refused),
            ("0xg == 1", Refused),
            ("0x-1 == 1", Refused),
            ("0b1 == 1", Refused),
            ("1e999 == 1", Refused),
            ("1e == 1", Refused),
            ("1a == 1", Refused),
            ("'a\nb' == ''", Refused),
            ("`a\nb` == 'a\\nb'", True),
            (r#""\q" == """#, Refused),
            (r#""\u12" == """#, Refused),
            (r#""\U00110000" == """#, Refused),
            (r#""\ud800" == "\ufffd""#, True),
            ("'a == ''", Refused),
            ("`a == ''", Refused),
            ("/* true", Refused),
            ("/*/ true", Refused),
            ("true\u{a0}", Refused),
            ("данные == nil", Refused),
            ("'é' == `é`", True),
        ],
    );
}

#[test]
fn the_door_wants_a_bool_shape() {
    check(
        Some(&existing()),
        &[
            ("data.flag", Refused),
            ("data.list[0]", Refused),
            ("pk", Refused),
            ("data", Refused),
            ("_created_at", Refused),
            ("nil", Refused),
            ("unknown", Refused),
            ("1", Refused),
            ("'true'", Refused),
            ("1 + 1", Refused),
            ("-data.n", Refused),
            ("len(data.list)", Refused),
            ("count(data.list, {true})", Refused),
            ("filter(data.list, {true})", Refused),
            ("[true][0]", Refused),
            ("true ? 1 : true", Refused),
            ("true ? data.flag : true", Refused),
            ("true ? true : data.flag", True),
            ("true ? nil : true", Fails),
            ("data.flag ?? false", Refused),
            ("(data.flag ?? false) == true", True),
            ("data.flag && data.flag", True),
            ("", Refused),
            ("   ", Refused),
            ("// true", Refused),
            ("true true", Refused),
            ("true)", Refused),
            ("(true", Refused),
            ("data.hey = 'ho'", Refused),
            ("true & true", Refused),
            ("true | true", Refused),
            ("== 1", Refused),
            ("1 ==", Refused),
            ("true ? true", Refused),
            ("true; true", Refused),
            ("let x = 1; x == 1", Refused),
            ("@", Refused),
        ],
    );
}

#[test]
fn sizes_at_their_limits() {
    let padded = |bytes: usize| format!("true{}", " ".repeat(bytes - 4));
    assert_eq!(gives(&padded(CONDITION_MAX_BYTES), None), True);
    let error = parse_error(&padded(CONDITION_MAX_BYTES + 1));
    assert_eq!(error, ParseError::TooLong { bytes: CONDITION_MAX_BYTES + 1 });

    let nested = |open: &str, close: &str, levels: usize| {
        format!("{}true{}", open.repeat(levels), close.repeat(levels))
    };
    for (open, close) in [("(", ")"), ("!", ""), ("not ", ""), ("true ? true : ", "")] {
        let most = nested(open, close, CONDITION_MAX_DEPTH);
        assert_ne!(gives(&most, None), Refused, "{most}");
        let error = parse_error(&nested(open, close, CONDITION_MAX_DEPTH + 1));
        assert!(matches!(error, ParseError::TooDeep { .. }), "{open}: {error}");
    }
    for open in ["(", "[", "{a:", "!", "-", "all(", "len(", "a[", "true ? ", "x ?? (", "{(", "a[:"]
    {
        let endless = open.repeat(CONDITION_MAX_BYTES / open.len());
        assert!(Condition::parse(DIALECT, &endless).is_err(), "{open}");
    }
    // A chain is not nesting.
    assert_eq!(gives(&format!("true{}", "&&true".repeat(100)), None), True);
    let error = parse_error(&format!("1{} == 0", "+1".repeat(CONDITION_MAX_NODES / 2)));
    assert_eq!(error, ParseError::TooManyNodes);
    let path = format!("data{}==nil", ".a".repeat(CONDITION_MAX_NODES));
    assert_eq!(parse_error(&path), ParseError::TooManyNodes);
}

#[test]
fn the_deepest_statement_needs_little_stack() {
    let levels = CONDITION_MAX_DEPTH;
    let sum = "0 + 1 * abs(".repeat(levels);
    let statement = format!("false or true and 1 == {sum}1{}", ")".repeat(levels));
    let judged = std::thread::Builder::new().stack_size(256 * 1_024);
    let judged = judged.spawn(move || gives(&statement, None)).unwrap();
    assert_eq!(judged.join().unwrap(), True);
}

#[test]
fn work_is_bounded() {
    let list = format!("{{\"l\":[{}0]}}", "0,".repeat(4_999));
    let row = Row { data: Some(&list), ..existing() };
    assert_eq!(gives("none(data.l, {# > 0})", Some(&row)), Fails);
    assert_eq!(gives("9 not in data.l", Some(&row)), True);
    assert_eq!(gives("any(data.l, {# == 0})", Some(&row)), True);
    assert_eq!(judge_error("data.l == data.l && 9 in data.l", Some(&row)), JudgeError::Steps);
    let statement = "any(data.l, {any(data.l, {any(data.l, {# == 1})})})";
    let (answer, steps) = Condition::parse(DIALECT, statement).unwrap().judge_counted(Some(&row));
    assert_eq!((answer, steps), (Err(JudgeError::Steps), CONDITION_MAX_STEPS));

    let text = format!("{{\"t\":\"{}\"}}", "a".repeat(100 * 1_024));
    let row = Row { data: Some(&text), ..existing() };
    check(
        Some(&row),
        &[
            ("data.t contains 'b'", False),
            ("data.t endsWith 'aaa'", True),
            ("len(data.t) == 102400", True),
            ("data.t == 'a'", False),
            ("data.t matches 'b'", Fails),
            ("data.t[:1000] matches '^(a|b)+$'", True),
            ("data.t + data.t + data.t == ''", False),
        ],
    );

    let text = format!("{{\"t\":\"{}\"}}", "a".repeat(161_000));
    let row = Row { data: Some(&text), ..existing() };
    check(Some(&row), &[("data.t == 'a'", Fails), ("data == nil", False), ("null != data", True)]);
}

#[test]
fn stored_text_that_is_not_json_is_an_error_only_when_asked_for() {
    let bad = [
        "",
        " ",
        "{",
        "{\"a\":1,}",
        "[1,]",
        "[1 2]",
        "{\"a\" 1}",
        "{a:1}",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "tru",
        "nul",
        "\"a",
        "\"\\q\"",
        "\"\\u12\"",
        "\"\\ud800\\u1\"",
        "\"\u{1}\"",
        "\"\\é\"",
        "{} {}",
        "{\"a\":}",
        "[,]",
        "'a'",
        "+1",
        "NaN",
        "\u{feff}{}",
    ];
    for text in bad {
        let row = Row { data: Some(text), ..existing() };
        assert_eq!(judge_error("data.a == 1", Some(&row)), JudgeError::Data, "{text}");
        assert_eq!(gives("pk == 'pk1'", Some(&row)), True, "{text}");
    }
    let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let (deepest, deeper) = (nested(64), nested(65));
    assert_eq!(gives("len(data) > 0", Some(&Row { data: Some(&deepest), ..existing() })), True);
    let row = Row { data: Some(&deeper), ..existing() };
    assert_eq!(judge_error("len(data) > 0", Some(&row)), JudgeError::DataTooDeep);
    let endless = "[".repeat(100_000);
    let row = Row { data: Some(&endless), ..existing() };
    assert_eq!(judge_error("len(data) > 0", Some(&row)), JudgeError::DataTooDeep);
}

#[test]
fn errors_say_the_same_everywhere() {
    assert!(matches!(Condition::parse(0, "true"), Err(ParseError::Dialect { dialect: 0 })));
    assert!(matches!(Condition::parse(2, "true"), Err(ParseError::Dialect { dialect: 2 })));
    let said = |statement: &str| match Condition::parse(DIALECT, statement) {
        Err(error) => error.to_string(),
        Ok(condition) => condition.judge(Some(&existing())).unwrap_err().to_string(),
    };
    let table = [
        (
            "data.flag",
            "condition is not a bool by its shape: compare it, as in `data.flag == true`",
        ),
        ("true &&", "condition is wrong at byte 7: expected a value, not the end"),
        ("data.absent > 5", "`>` does not take nil and an int"),
        ("data.deep.x.y == 1", "nil has no members"),
        ("true && data.hey", "`and` does not take a string"),
        ("true ? nil : true", "condition gave nil, not a bool"),
        ("data.n contains 'a'", "`contains` does not take an int and a string"),
        ("data.list[9] == 1", "index out of range"),
        ("1 / 0 == 1", "division by zero"),
    ];
    for (statement, text) in table {
        assert_eq!(said(statement), text, "{statement}");
    }
    let error = judge_error("true ? nil : true", None);
    assert_eq!(error, JudgeError::NotBool { got: Kind::Nil });
}
