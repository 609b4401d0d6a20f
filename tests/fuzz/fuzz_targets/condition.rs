//! Any text as a condition, judged on any text as a row's data: an answer within the limits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_model::condition::{Condition, DIALECT, Row};
use pumice_model::limits::CONDITION_MAX_STEPS;

fuzz_target!(|input: (&str, &str)| {
    let (statement, data) = input;
    let Ok(condition) = Condition::parse(DIALECT, statement) else { return };
    let row = Row { pk: "pk", sk: "sk", data: Some(data), created_at: 1, updated_at: 2 };
    for row in [None, Some(&row)] {
        let (judged, steps) = condition.judge_counted(row);
        assert!(steps <= CONDITION_MAX_STEPS);
        assert_eq!(condition.judge(row), judged);
    }
});
