//! (pure) Cuts a statement into tokens: words, numbers, strings, punctuation.
//! Only ASCII stands outside strings and comments: what counts as a letter or a space beyond it
//! changes with the Unicode version, and a released dialect must not.

use super::ParseError;

/// One token and the bytes it covers.
#[derive(Debug)]
pub(super) struct Token<'t> {
    pub kind: TokenKind<'t>,
    pub start: usize,
    pub end: usize,
}

#[derive(Debug, PartialEq)]
pub(super) enum TokenKind<'t> {
    /// A name, or an operator written as a word.
    Word(&'t str),
    Int(i64),
    Float(f64),
    Text(String),
    Punct(&'static str),
    End,
}

/// Longest first, so that `?.` is not read as `?` and `.`.
const PUNCTUATION: [&str; 30] = [
    "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "..", "**", "(", ")", "[", "]", "{", "}", "#",
    ",", ":", "?", ".", "+", "-", "*", "/", "%", "^", "<", ">", "!",
];

/// All tokens of a statement; the last one is [`TokenKind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, ParseError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank()?;
        let start = lexer.at;
        let kind = lexer.next()?;
        let last = kind == TokenKind::End;
        tokens.push(Token { kind, start, end: lexer.at });
        if last {
            return Ok(tokens);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn next(&mut self) -> Result<TokenKind<'t>, ParseError> {
        let Some(first) = self.peek() else {
            return Ok(TokenKind::End);
        };
        match first {
            b'"' | b'\'' => self.quoted(first),
            b'`' => self.raw(),
            b'0'..=b'9' => self.number(),
            b'.' if self.peek_at(1).is_some_and(|next| next.is_ascii_digit()) => self.number(),
            _ if is_word(first) => Ok(TokenKind::Word(self.take_while(is_word))),
            _ => self.punctuation(),
        }
    }

    fn punctuation(&mut self) -> Result<TokenKind<'t>, ParseError> {
        let rest = &self.text.as_bytes()[self.at..];
        for punct in PUNCTUATION {
            if rest.starts_with(punct.as_bytes()) {
                self.at += punct.len();
                return Ok(TokenKind::Punct(punct));
            }
        }
        Err(self.wrong("a character that means nothing outside a string"))
    }

    fn skip_blank(&mut self) -> Result<(), ParseError> {
        loop {
            self.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c));
            let rest = &self.text[self.at..];
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let end = comment.find("*/");
                self.at += end.ok_or_else(|| self.wrong("a comment without its end"))? + 4;
            } else {
                return Ok(());
            }
        }
    }

    /// Decimal and hexadecimal integers and decimal floats; `_` may stand between digits.
    fn number(&mut self) -> Result<TokenKind<'t>, ParseError> {
        let start = self.at;
        if self.peek() == Some(b'0') && matches!(self.peek_at(1), Some(b'x' | b'X')) {
            self.at += 2;
            let digits = self.take_while(is_word).replace('_', "");
            // The standard parser would take a sign here.
            let value = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digits);
            let value = value.and_then(|digits| i64::from_str_radix(&digits, 16).ok());
            return value.map(TokenKind::Int).ok_or(wrong(start, "not a number of 64 bits"));
        }
        let is_digit = |byte: u8| byte.is_ascii_digit() || byte == b'_';
        self.take_while(is_digit);
        let mut is_float = false;
        if self.peek() == Some(b'.') && self.peek_at(1) != Some(b'.') {
            is_float = true;
            self.at += 1;
            self.take_while(is_digit);
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            is_float = true;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.take_while(is_digit);
        }
        let digits = self.text[start..self.at].replace('_', "");
        if self.peek().is_some_and(is_word) {
            return Err(wrong(start, "not a number"));
        }
        if is_float {
            let value = digits.parse::<f64>().ok().filter(|value| value.is_finite());
            return value.map(TokenKind::Float).ok_or(wrong(start, "not a finite number"));
        }
        let value = digits.parse::<i64>().ok();
        value.map(TokenKind::Int).ok_or(wrong(start, "not a number of 64 bits"))
    }

    /// A string between back quotes: no escapes, may hold line ends.
    fn raw(&mut self) -> Result<TokenKind<'t>, ParseError> {
        let inner = &self.text[self.at + 1..];
        let length = inner.find('`').ok_or_else(|| self.wrong("a string without its end"))?;
        self.at += length + 2;
        Ok(TokenKind::Text(inner[..length].to_owned()))
    }

    fn quoted(&mut self, quote: u8) -> Result<TokenKind<'t>, ParseError> {
        let start = self.at;
        self.at += 1;
        let mut value = String::new();
        loop {
            let plain =
                self.take_while(|byte| byte != quote && !matches!(byte, b'\\' | b'\n' | b'\r'));
            value.push_str(plain);
            match self.peek() {
                Some(b'\\') => value.push(self.escape()?),
                Some(byte) if byte == quote => {
                    self.at += 1;
                    return Ok(TokenKind::Text(value));
                }
                _ => return Err(wrong(start, "a string without its end on the same line")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        let code = self.peek_at(1).unwrap_or(0);
        if matches!(code, b'0'..=b'3') {
            return self.code_point(1, 3, 8);
        }
        match code {
            b'x' => return self.code_point(2, 2, 16),
            b'u' => return self.code_point(2, 4, 16),
            b'U' => return self.code_point(2, 8, 16),
            _ => {}
        }
        let value = match code {
            b'a' => '\u{7}',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'v' => '\u{b}',
            b'\\' | b'\'' | b'"' => char::from(code),
            _ => return Err(self.wrong("an escape that is not known")),
        };
        self.at += 2;
        Ok(value)
    }

    /// The character of an escape with exactly `count` digits; half a surrogate is U+FFFD.
    fn code_point(&mut self, skip: usize, count: usize, radix: u32) -> Result<char, ParseError> {
        let from = self.at + skip;
        let digits = self.text.as_bytes().get(from..from + count).unwrap_or(b"");
        let mut value = 0_u32;
        for digit in digits {
            let digit = char::from(*digit).to_digit(radix);
            let digit = digit.ok_or_else(|| self.wrong("an escape with too few digits"))?;
            value = value.wrapping_mul(radix).wrapping_add(digit);
        }
        if digits.is_empty() || value > u32::from(char::MAX) {
            return Err(self.wrong("an escape that is no character"));
        }
        self.at = from + count;
        Ok(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// Takes bytes while `keep` says so; it stops before or after whole characters only, as
    /// every caller's `keep` answers alike for all bytes beyond ASCII.
    fn take_while(&mut self, keep: impl Fn(u8) -> bool) -> &'t str {
        let start = self.at;
        while self.peek().is_some_and(&keep) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    fn peek(&self) -> Option<u8> {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn wrong(&self, what: &'static str) -> ParseError {
        wrong(self.at, what)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
}

fn wrong(at: usize, what: &'static str) -> ParseError {
    ParseError::Syntax { at, what }
}
