//! (pure) Builds the tree: operators by precedence, as antonmedv/expr v1.12.5 ranks them.
//! Recursion is bounded by the nesting limit times the number of precedences.

use regex_lite::{Regex, RegexBuilder};

use crate::limits::{CONDITION_MAX_DEPTH, CONDITION_MAX_NODES};

use super::ParseError;
use super::lexer::{Token, TokenKind, tokens};
use super::tree::{Node, Operator};

/// Bytes that a compiled pattern may take: some hundred states, so that matching one byte of a
/// text, which is one step, takes a few microseconds at the very worst.
const PATTERN_MAX_BYTES: usize = 16 * 1_024;

/// Groups inside groups of a pattern.
const PATTERN_MAX_NEST: u32 = 16;

/// Unary minus and plus bind closer than any of [`Parser::peek_infix`] but `??`.
pub(super) const SIGN_PRECEDENCE: u16 = 90;

/// `not` and `!` bind closer than comparisons and sums, and less close than products.
pub(super) const NOT_PRECEDENCE: u16 = 50;

pub(super) struct Parser<'t> {
    pub text: &'t str,
    pub tokens: Vec<Token<'t>>,
    pub at: usize,
    pub depth: usize,
    pub nodes: usize,
    /// How many closures are open: outside of them `#` means nothing.
    pub closures: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Infix {
    Or,
    And,
    Coalesce,
    Matches,
    Plain(Operator),
}

/// The tree of a whole statement.
pub(super) fn parse(text: &str) -> Result<Node, ParseError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { text, tokens, at: 0, depth: 0, nodes: 0, closures: 0 };
    let root = parser.expression(0)?;
    match parser.peek() {
        TokenKind::End => Ok(root),
        _ => Err(parser.wrong("expected an operator or the end")),
    }
}

impl<'t> Parser<'t> {
    /// A whole expression one level deeper.
    pub(super) fn nested(&mut self) -> Result<Node, ParseError> {
        self.deeper(|parser| parser.expression(0))
    }

    pub(super) fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.depth == CONDITION_MAX_DEPTH {
            return Err(ParseError::TooDeep { at: self.tokens[self.at].start });
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Operators of at least the given precedence; at 0 a `?:` may follow.
    pub(super) fn expression(&mut self, lowest: u16) -> Result<Node, ParseError> {
        let mut left = self.primary()?;
        let mut after_coalesce = false;
        while let Some((infix, precedence, negated)) = self.peek_infix()? {
            if precedence < lowest {
                break;
            }
            if after_coalesce && infix != Infix::Coalesce {
                return Err(self.wrong("put `??` and its sides in parentheses here"));
            }
            self.at += 1 + usize::from(negated);
            let right_at = self.tokens[self.at].start;
            let right = self.expression(precedence + 1)?;
            left = self.joined(infix, left, right, right_at)?;
            if negated {
                left = self.counted(Node::Not(Box::new(left)))?;
            }
            after_coalesce = infix == Infix::Coalesce;
        }
        if lowest == 0 { self.choices(left) } else { Ok(left) }
    }

    fn choices(&mut self, mut cond: Node) -> Result<Node, ParseError> {
        while self.take("?") {
            let yes = match self.peek() {
                TokenKind::Punct(":") => None,
                _ => Some(Box::new(self.nested()?)),
            };
            self.expect(":", "expected `:` of `?:`")?;
            let no = Box::new(self.nested()?);
            cond = self.counted(Node::Choose { cond: Box::new(cond), yes, no })?;
        }
        Ok(cond)
    }

    /// The operator that stands here, its precedence, and whether a `not` stands before it.
    fn peek_infix(&self) -> Result<Option<(Infix, u16, bool)>, ParseError> {
        let negated = *self.peek() == TokenKind::Word("not");
        let token = match &self.tokens[self.at + usize::from(negated)].kind {
            TokenKind::Word(text) => *text,
            TokenKind::Punct(text) => *text,
            _ => "",
        };
        let (infix, precedence) = match token {
            "or" | "||" => (Infix::Or, 10),
            "and" | "&&" => (Infix::And, 15),
            "==" => (Infix::Plain(Operator::Equal), 20),
            "!=" => (Infix::Plain(Operator::NotEqual), 20),
            "<" => (Infix::Plain(Operator::Less), 20),
            "<=" => (Infix::Plain(Operator::LessOrEqual), 20),
            ">" => (Infix::Plain(Operator::Greater), 20),
            ">=" => (Infix::Plain(Operator::GreaterOrEqual), 20),
            "in" => (Infix::Plain(Operator::In), 20),
            "contains" => (Infix::Plain(Operator::Contains), 20),
            "startsWith" => (Infix::Plain(Operator::StartsWith), 20),
            "endsWith" => (Infix::Plain(Operator::EndsWith), 20),
            "matches" => (Infix::Matches, 20),
            "+" => (Infix::Plain(Operator::Add), 30),
            "-" => (Infix::Plain(Operator::Subtract), 30),
            "*" => (Infix::Plain(Operator::Multiply), 60),
            "/" => (Infix::Plain(Operator::Divide), 60),
            "%" => (Infix::Plain(Operator::Modulo), 60),
            "??" => (Infix::Coalesce, 500),
            ".." | "**" | "^" => {
                return Err(self.wrong("`..`, `**` and `^` are not in this dialect"));
            }
            _ if negated => return Err(self.wrong(AFTER_NOT)),
            _ => return Ok(None),
        };
        if negated && !matches!(token, "in" | "contains" | "startsWith" | "endsWith" | "matches") {
            return Err(self.wrong(AFTER_NOT));
        }
        Ok(Some((infix, precedence, negated)))
    }

    fn joined(
        &mut self,
        infix: Infix,
        left: Node,
        right: Node,
        right_at: usize,
    ) -> Result<Node, ParseError> {
        let left = Box::new(left);
        let node = match (infix, right) {
            (Infix::Matches, Node::Text(text)) => {
                Node::Matches { text: left, pattern: pattern(&text, right_at)? }
            }
            (Infix::Matches, _) => {
                return Err(syntax(right_at, "`matches` takes a literal pattern only"));
            }
            (Infix::Or, right) => Node::Or(left, Box::new(right)),
            (Infix::And, right) => Node::And(left, Box::new(right)),
            (Infix::Coalesce, right) => Node::Coalesce(left, Box::new(right)),
            (Infix::Plain(operator), right) => {
                Node::Binary { operator, left, right: Box::new(right) }
            }
        };
        self.counted(node)
    }

    /// Counts a part of the statement against the limit.
    pub(super) fn counted(&mut self, node: Node) -> Result<Node, ParseError> {
        self.count()?;
        Ok(node)
    }

    pub(super) fn count(&mut self) -> Result<(), ParseError> {
        if self.nodes == CONDITION_MAX_NODES {
            return Err(ParseError::TooManyNodes);
        }
        self.nodes += 1;
        Ok(())
    }

    pub(super) fn peek(&self) -> &TokenKind<'t> {
        &self.tokens[self.at].kind
    }

    /// Steps over the given punctuation if it stands here.
    pub(super) fn take(&mut self, punct: &str) -> bool {
        let stands = matches!(self.peek(), TokenKind::Punct(here) if *here == punct);
        self.at += usize::from(stands);
        stands
    }

    pub(super) fn expect(&mut self, punct: &str, what: &'static str) -> Result<(), ParseError> {
        if self.take(punct) { Ok(()) } else { Err(self.wrong(what)) }
    }

    pub(super) fn wrong(&self, what: &'static str) -> ParseError {
        syntax(self.tokens[self.at].start, what)
    }
}

const AFTER_NOT: &str =
    "expected `in`, `contains`, `startsWith`, `endsWith` or `matches` after `not`";

pub(super) fn syntax(at: usize, what: &'static str) -> ParseError {
    ParseError::Syntax { at, what }
}

fn pattern(text: &str, at: usize) -> Result<Regex, ParseError> {
    RegexBuilder::new(text)
        .size_limit(PATTERN_MAX_BYTES)
        .nest_limit(PATTERN_MAX_NEST)
        .build()
        .map_err(|_| syntax(at, "not a pattern of this dialect, or too large a one"))
}
