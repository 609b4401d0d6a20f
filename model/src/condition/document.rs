//! (pure) Reads stored JSON text into values, borrowing every string that has no escape.
//! Unlike a strict parser it takes half a surrogate (read as U+FFFD) and numbers beyond a
//! double's range (read as infinite), because what the door lets in must be readable for ever.

use crate::limits::JSON_DEPTH_MAX;

use super::error::JudgeError;
use super::value::{Map, Text, Value};

/// The value of a whole text; linear in its length.
pub(super) fn read(text: &str) -> Result<Value<'_>, JudgeError> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let value = reader.value()?;
    reader.skip_blank();
    if reader.at == text.len() { Ok(value) } else { Err(JudgeError::Data) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Result<Value<'a>, JudgeError> {
        self.skip_blank();
        match self.peek() {
            Some(b'{') => self.deeper(Self::object),
            Some(b'[') => self.deeper(Self::array),
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Nil),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(JudgeError::Data),
        }
    }

    fn deeper(
        &mut self,
        read: fn(&mut Self) -> Result<Value<'a>, JudgeError>,
    ) -> Result<Value<'a>, JudgeError> {
        if self.depth == JSON_DEPTH_MAX {
            return Err(JudgeError::DataTooDeep);
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Result<Value<'a>, JudgeError> {
        let mut pairs = Vec::new();
        while !self.closes(b'}', pairs.is_empty())? {
            if self.peek() != Some(b'"') {
                return Err(JudgeError::Data);
            }
            let key = self.string()?;
            self.skip_blank();
            self.expect(b':')?;
            pairs.push((key, self.value()?));
        }
        Ok(Value::Map(Map::new(pairs)))
    }

    fn array(&mut self) -> Result<Value<'a>, JudgeError> {
        let mut items = Vec::new();
        while !self.closes(b']', items.is_empty())? {
            items.push(self.value()?);
        }
        Ok(Value::Array(items.into()))
    }

    /// Whether the bracket closes here; if not, steps to where the next element begins.
    fn closes(&mut self, bracket: u8, is_first: bool) -> Result<bool, JudgeError> {
        self.skip_blank();
        if self.peek() == Some(bracket) {
            self.at += 1;
            return Ok(true);
        }
        if !is_first {
            self.expect(b',')?;
            self.skip_blank();
        }
        Ok(false)
    }

    fn string(&mut self) -> Result<Text<'a>, JudgeError> {
        self.at += 1;
        let plain = self.plain();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Text::Borrowed(plain));
        }
        let mut value = plain.to_owned();
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => value.push(self.escape()?),
                _ => return Err(JudgeError::Data),
            }
            value.push_str(self.plain());
        }
        self.at += 1;
        Ok(Text::Shared(value.into()))
    }

    /// The run of characters up to a quote, an escape or a control character.
    fn plain(&mut self) -> &'a str {
        let start = self.at;
        while self.peek().is_some_and(|byte| !matches!(byte, b'"' | b'\\' | ..0x20)) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    fn escape(&mut self) -> Result<char, JudgeError> {
        self.at += 1;
        let code = self.peek().ok_or(JudgeError::Data)?;
        self.at += 1;
        Ok(match code {
            b'"' | b'\\' | b'/' => char::from(code),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode_escape()?,
            _ => return Err(JudgeError::Data),
        })
    }

    fn unicode_escape(&mut self) -> Result<char, JudgeError> {
        let first = self.hex4()?;
        if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            // The second escape is a character of its own.
            self.at = back;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32, JudgeError> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or(JudgeError::Data)?;
        let mut value = 0;
        for digit in digits {
            value = value * 16 + char::from(*digit).to_digit(16).ok_or(JudgeError::Data)?;
        }
        self.at += 4;
        Ok(value)
    }

    fn number(&mut self) -> Result<Value<'a>, JudgeError> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        match self.digits()? {
            "0" => {}
            digits if digits.starts_with('0') => return Err(JudgeError::Data),
            _ => {}
        }
        let mut is_whole = true;
        if self.peek() == Some(b'.') {
            is_whole = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            is_whole = false;
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        match text.parse::<i64>() {
            Ok(value) if is_whole => Ok(Value::Int(value)),
            _ => text.parse().map(Value::Float).map_err(|_| JudgeError::Data),
        }
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<&'a str, JudgeError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if start == self.at { Err(JudgeError::Data) } else { Ok(&self.text[start..self.at]) }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, JudgeError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(JudgeError::Data);
        }
        self.at += word.len();
        Ok(value)
    }

    fn expect(&mut self, byte: u8) -> Result<(), JudgeError> {
        if self.peek() != Some(byte) {
            return Err(JudgeError::Data);
        }
        self.at += 1;
        Ok(())
    }

    fn skip_blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}
