//! One readable table of the `if` dialect: every operator and function, existing and missing
//! rows, failures while judging, and what the door refuses.
//! Each line is a statement and what it must give; a changed line is a changed dialect.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use pumice_model::condition::{Condition, DIALECT, Row};

const DATA: &str = r#"{
    "hey": "ho", "n": 7, "zero": 0, "half": 0.5, "one": 1.0, "big": 9007199254740993,
    "huge": 1e300, "past": 1e999, "wide": 9223372036854775808, "flag": true, "off": false,
    "none": null, "empty": "", "accent": "\u00e9t\u00e9", "emoji": "\ud83d\ude00",
    "broken": "\ud800x", "path": "a/b\n", "list": [1, 2, 3], "names": ["ab", "cd"],
    "rows": [{"k": "a", "v": 1}, {"k": "b", "v": 2}], "deep": {"a": {"b": {"c": 5}}},
    "twice": 1, "twice": 2, "not": 3, "some key": 4
}"#;

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

fn without_data() -> Row<'static> {
    Row { data: None, ..existing() }
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

#[test]
fn names_of_an_existing_row() {
    check(
        Some(&existing()),
        &[
            ("data == null", False),
            ("data == nil", False),
            ("data != nil", True),
            ("pk == null", False),
            (r#"pk == "pk1" && sk == 'sk1'"#, True),
            (r#"data.hey == "ho""#, True),
            ("_updated_at > 1", True),
            ("_updated_at == 9", True),
            ("_created_at == 5", True),
            ("_created_at == 5.0", True),
            ("_updated_at > _created_at", True),
            ("unknown == nil", True),
            ("Data == nil", True),
            ("data.absent == nil", True),
            ("data.none == nil", True),
        ],
    );
}

#[test]
fn names_of_a_missing_row() {
    check(
        None,
        &[
            ("data == null", True),
            ("pk == null", True),
            ("sk == nil", True),
            ("_created_at == nil && _updated_at == nil", True),
            (r#"data.hey == "ho""#, False),
            ("data.hey == nil", True),
            (r#"data["hey"] == nil"#, True),
            ("data?.hey?.ho == nil", True),
            ("data.a.b == nil", Fails),
            ("data.a[0] == nil", Fails),
            (r#"data["a"]["b"] == nil"#, Fails),
            (r#""hey" in data"#, False),
            ("_updated_at > 1", Fails),
            ("_updated_at == 1", False),
            ("_updated_at == nil || _updated_at > 1", True),
            ("!data.flag", Fails),
            ("(data.n ?? 0) == 0", True),
            ("pk.x == nil", Fails),
            ("len(data) == 0", Fails),
            ("data[:] == nil", Fails),
        ],
    );
}

#[test]
fn a_row_stored_without_data() {
    check(
        Some(&without_data()),
        &[
            ("data == null", True),
            ("pk == null", False),
            ("data.hey == nil", True),
            ("_created_at == 5", True),
        ],
    );
}

#[test]
fn equality_and_order() {
    check(
        Some(&existing()),
        &[
            ("5 == 5.0", True),
            ("data.one == 1", True),
            ("data.n == 7 and data.n != 8", True),
            ("9007199254740993 == data.big", True),
            ("9007199254740992 == data.big", False),
            ("9007199254740993 == 9007199254740992.0", False),
            ("9007199254740993 > 9007199254740992.0", True),
            ("9223372036854775807 < 9223372036854775808.0", True),
            ("-9223372036854775807 - 1 == -9223372036854775808.0", True),
            ("-9223372036854775807 > -9223372036854775808.0", True),
            ("9223372036854775807 < data.wide", True),
            ("data.past > data.huge", True),
            ("-1 > -1.5 && -2 < -1.5 && 1 < 1.5 && 2 > 1.5", True),
            ("-0.0 == 0", True),
            (r#""1" == 1"#, False),
            (r#""1" != 1"#, True),
            ("true == 1", False),
            ("nil == false", False),
            ("nil == nil", True),
            ("data.list == [1, 2, 3]", True),
            ("data.list == [1, 2]", False),
            ("data.rows[0] == {k: 'a', v: 1}", True),
            ("data.rows[0] == {k: 'a', w: 1}", False),
            ("data.deep == data.deep", True),
            ("1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3", True),
            (r#""a" < "b" && "B" < "a" && "a" < "ab" && "z" < "é""#, True),
            ("'a' <= 'a' && 'a' >= 'a'", True),
            ("nil > 5", Fails),
            ("data.absent > 5", Fails),
            ("'a' > 5", Fails),
            ("true > false", Fails),
            ("[1] < [2]", Fails),
            ("1 < 2 < 3", Fails),
        ],
    );
}

#[test]
fn logic_is_short_circuit_and_takes_bools_only() {
    check(
        Some(&existing()),
        &[
            ("data.flag == true", True),
            ("!data.flag", False),
            ("not data.off", True),
            ("data.flag && data.flag", True),
            ("data.flag && data.n", Fails),
            ("true && data.hey", Fails),
            ("true && data.absent", Fails),
            ("data.n || true", Fails),
            ("false && data.n", False),
            ("true || data.n > 'a'", True),
            ("false or true and false", False),
            ("true || true && false", True),
            ("!nil", Fails),
            ("not 1", Fails),
            ("not true == false", True),
            ("not (true == false)", True),
            ("!!true", True),
            ("data.n > 5 ? data.hey == 'ho' : false", True),
            ("data.n < 5 ? nil.x == 1 : true", True),
            ("data.flag ? true : data.n", True),
            ("data.off ? true : data.n", Fails),
            ("data.n ? true : false", Fails),
            ("false ? 1 == 1 : true ? false : true", False),
            ("true ?: false", True),
            ("data.off ?: true", Refused),
            ("(!data.flag) ?: true", True),
            ("(data.absent ?? 3) == 3", True),
            ("(data.zero ?? 3) == 0", True),
            ("data.absent ?? data.none ?? 1 == 1", Refused),
            ("(data.absent ?? data.none ?? 1) == 1", True),
            ("1 == data.absent ?? 1", True),
            ("1 * data.absent ?? 2 + 1 == 3", True),
            ("true ?? nil", True),
            ("-data.absent ?? 1 == -1", True),
        ],
    );
}

#[test]
fn arithmetic() {
    check(
        Some(&existing()),
        &[
            ("1 + 2 * 3 == 7 && (1 + 2) * 3 == 9 && 7 - 2 - 1 == 4", True),
            ("7 % 4 == 3 && -7 % 4 == -3 && 2 * 7 % 4 == 2", True),
            ("7 / 2 == 3.5 && 6 / 2 == 3 && 1.5 * 2 == 3", True),
            ("1 + 0.5 == 1.5 && data.n - data.half == 6.5", True),
            ("'a' + 'b' + data.hey == 'abho'", True),
            ("-data.n == -7 && +data.n == 7 && - -1 == 1", True),
            ("not -1 == 1", Fails),
            ("-2 * 3 == -6", True),
            ("9223372036854775807 + 1 > 0", Fails),
            ("-9223372036854775807 - 2 < 0", Fails),
            ("9223372036854775807 * 2 > 0", Fails),
            ("-(-9223372036854775807 - 1) > 0", Fails),
            ("(-9223372036854775807 - 1) % -1 == 0", True),
            ("abs(-9223372036854775807 - 1) > 0", Fails),
            ("1 / 0 > 0", Fails),
            ("1 / 0.0 > 0", Fails),
            ("1 % 0 == 0", Fails),
            ("1.5 % 2 == 0", Fails),
            ("1e308 * 10 > 0", Fails),
            ("data.past - data.past == 0", Fails),
            ("1 + 'a' == 2", Fails),
            ("'a' - 'b' == 2", Fails),
            ("nil + 1 == 1", Fails),
            ("-'a' == 1", Fails),
            ("+'a' == 'a'", Fails),
            ("1..3 == [1, 2, 3]", Refused),
            ("2 ** 3 == 8", Refused),
            ("2 ^ 3 == 8", Refused),
        ],
    );
}

#[test]
fn members_indexes_and_slices() {
    check(
        Some(&existing()),
        &[
            ("data.deep.a.b.c == 5", True),
            ("data.deep.x == nil", True),
            ("data.deep.x.y == nil", Fails),
            ("data.deep?.x?.y.z.w == nil", True),
            ("(data.deep?.x?.y).z == nil", True),
            ("data.deep.x?.y[0] == nil", Fails),
            (r#"data["some key"] == 4 && data.not == 3"#, True),
            ("data.hey.x == nil", Fails),
            ("data.hey?.x == nil", Fails),
            ("data.hey[0] == 'h'", Fails),
            ("data.twice == 2", True),
            ("data.list[0] == 1 && data.list[-1] == 3 && data.list[1 + 1] == 3", True),
            ("data.list[3] == nil", Fails),
            ("data.list[-4] == nil", Fails),
            ("data.list['a'] == nil", Fails),
            ("data.list[1.0] == 2", Fails),
            ("data.list.a == nil", Fails),
            ("data[1] == nil", Fails),
            ("data.list[1:] == [2, 3] && data.list[:1] == [1] && data.list[:] == data.list", True),
            ("data.list[-2:-1] == [2] && data.list[2:1] == [] && data.list[1:99] == [2, 3]", True),
            ("data.list[-9:] == []", Fails),
            ("data.hey[1:2] == 'o' && data.hey[:] == 'ho' && ('a' + 'b')[1:] == 'b'", True),
            ("data.accent[0:2] == 'é'", True),
            ("data.accent[0:1] == 'é'", Fails),
            ("data.n[0:1] == 1", Fails),
            ("data.list['a':] == []", Fails),
            ("data.rows[1].k == 'b'", True),
            ("[[1, 2], [3]][0][1] == 2", True),
            ("data. hey == 'ho'", True),
            ("data.hey() == 'ho'", Refused),
            ("data.'hey' == 'ho'", Refused),
            ("data[] == nil", Refused),
            ("data.list[0 == 1", Refused),
        ],
    );
}

#[test]
fn strings_and_membership() {
    check(
        Some(&existing()),
        &[
            ("data.hey contains 'h' && not (data.hey contains 'x')", True),
            ("data.hey not contains 'x' and data.hey not startsWith 'o'", True),
            ("data.hey not endsWith 'h' && data.hey not matches '^x'", True),
            ("data.hey startsWith 'h' && data.hey endsWith 'o'", True),
            ("pk matches '^pk[0-9]+$'", True),
            ("pk matches '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'", False),
            ("data.accent matches '^.t.$' && data.emoji matches '^.$'", True),
            ("pk matches ('^' + 'p')", Refused),
            ("pk matches data.hey", Refused),
            ("pk matches '('", Refused),
            ("pk matches '(a{99}){99}'", Refused),
            ("data.n matches '7'", Fails),
            ("data.n contains '7'", Fails),
            ("data.absent contains 'a'", Fails),
            ("data.list contains 1", Fails),
            ("'a' startsWith nil", Fails),
            ("data.empty == '' && 'x' contains ''", True),
            ("data.broken == '\u{fffd}x' && data.path == 'a/b\\n'", True),
            ("2 in data.list && 2.0 in data.list && 9 not in data.list", True),
            ("'2' in data.list", False),
            ("nil in [1, nil]", True),
            ("[1] in [[1], [2]]", True),
            ("'hey' in data && 'absent' not in data", True),
            ("'none' in data", True),
            ("1 in data", Fails),
            ("nil in data || data.absent in data", False),
            ("'h' in data.hey", Fails),
            ("1 in nil", False),
            ("1 + 1 not in [2]", False),
            ("not 2 in data.list", Fails),
            ("not (2 in data.list)", False),
            ("data.hey not == 'ho'", Refused),
            ("data.hey not", Refused),
            ("data.hey in", Refused),
        ],
    );
}

#[test]
fn closures() {
    check(
        Some(&existing()),
        &[
            ("all(data.list, {# > 0}) && !all(data.list, {# > 1})", True),
            ("any(data.list, {# == 3}) && !any(data.list, {# == 4})", True),
            ("one(data.list, {# == 3}) && !one(data.list, {# > 1}) && !one([], {true})", True),
            ("none(data.list, {# == 4}) && !none(data.list, {# == 3})", True),
            ("all([], {1}) && none([], {1}) && !any([], {1})", True),
            ("filter(data.list, {# > 1}) == [2, 3]", True),
            ("map(data.list, {# * 2}) == [2, 4, 6]", True),
            ("count(data.list, {# % 2 == 1}) == 2", True),
            ("all(data.rows, {.v > 0}) && all(data.rows, {#.v > 0})", True),
            ("map(data.rows, .k) == ['a', 'b'] && map(data.list, #) == data.list", True),
            ("any(data.rows, .k == 'b' && .v == 2)", True),
            ("any(data.list, {any(data.list, {# == 3}) && # == 1})", True),
            ("map([[1], [2]], {map(#, {# + 1})[0]}) == [2, 3]", True),
            ("map(data.list, {{a: #}})[0].a == 1", True),
            ("all(data.list, {#})", Fails),
            ("filter(data.list, {1}) == []", Fails),
            ("count(data.list, {nil}) == 0", Fails),
            ("all(data.absent, {true})", Fails),
            ("all(data.deep, {true})", Fails),
            ("all(data.list, {.x == 1})", Fails),
            ("# == 1", Refused),
            (".x == 1", Refused),
            ("all(data.list)", Refused),
            ("all(data.list, {# > 0)", Refused),
        ],
    );
}

#[test]
fn functions() {
    check(
        Some(&existing()),
        &[
            ("len(data.list) == 3 && len(data.accent) == 5 && len({a: 1}) == 1", True),
            ("len(nil) == 0", Fails),
            ("len(5) == 0", Fails),
            ("abs(-2) == 2 && abs(-2.5) == 2.5 && abs(3) == 3", True),
            ("abs('a') == 1", Fails),
            ("int(2.9) == 2 && int(-2.9) == -2 && int('-12') == -12 && int(3) == 3", True),
            ("int('1.5') == 1", Fails),
            ("int(data.huge) == 1", Fails),
            ("int(nil) == 0", Fails),
            ("float(2) == 2.0 && float('1.5e1') == 15 && float(.5) == .5", True),
            ("float('inf') == 1", Fails),
            ("float('1e999') == 1", Fails),
            ("float('x') == 1", Fails),
            ("float(true) == 1", Fails),
            ("len() == 0", Refused),
            ("len(1, 2) == 0", Refused),
            ("foo(1) == 1", Refused),
            ("len == nil", True),
        ],
    );
}
