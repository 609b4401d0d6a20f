//! (pure) What stands between operators: literals, names, calls, closures, brackets, and the
//! members, indexes and slices that follow them.

use super::ParseError;
use super::lexer::TokenKind;
use super::parser::{NOT_PRECEDENCE, Parser, SIGN_PRECEDENCE, syntax};
use super::tree::{EachFunction, Field, Function, Node, Step};

impl Parser<'_> {
    /// An operand with everything that binds closer than an infix operator.
    pub(super) fn primary(&mut self) -> Result<Node, ParseError> {
        match self.peek() {
            TokenKind::Word("not") | TokenKind::Punct("!") => {
                self.at += 1;
                let of = self.deeper(|parser| parser.expression(NOT_PRECEDENCE))?;
                return self.counted(Node::Not(Box::new(of)));
            }
            TokenKind::Punct(sign @ ("-" | "+")) => {
                let negative = *sign == "-";
                self.at += 1;
                let of = Box::new(self.deeper(|parser| parser.expression(SIGN_PRECEDENCE))?);
                return self.counted(Node::Sign { negative, of });
            }
            _ => {}
        }
        let base = self.operand()?;
        self.path(base)
    }

    fn operand(&mut self) -> Result<Node, ParseError> {
        let at = self.at;
        match &mut self.tokens[at].kind {
            TokenKind::Int(value) => {
                let node = Node::Int(*value);
                self.literal(node)
            }
            TokenKind::Float(value) => {
                let node = Node::Float(*value);
                self.literal(node)
            }
            TokenKind::Text(value) => {
                let node = Node::Text(std::mem::take(value));
                self.literal(node)
            }
            TokenKind::Word(word) => {
                let word = *word;
                self.word(word)
            }
            TokenKind::Punct("(") => {
                self.at += 1;
                let inner = self.nested()?;
                self.expect(")", "expected `)`")?;
                Ok(inner)
            }
            TokenKind::Punct("[") => self.array(),
            TokenKind::Punct("{") => self.map(),
            TokenKind::Punct("#" | ".") if self.closures == 0 => {
                Err(self.wrong("`#` and `.` mean nothing outside a closure"))
            }
            TokenKind::Punct("#") => {
                self.at += 1;
                self.counted(Node::Item)
            }
            // The dot itself belongs to the path that follows.
            TokenKind::Punct(".") => self.counted(Node::Item),
            TokenKind::Punct(_) => Err(self.wrong("expected a value")),
            TokenKind::End => Err(self.wrong("expected a value, not the end")),
        }
    }

    fn literal(&mut self, node: Node) -> Result<Node, ParseError> {
        self.at += 1;
        self.counted(node)
    }

    fn word(&mut self, word: &str) -> Result<Node, ParseError> {
        let start = self.tokens[self.at].start;
        if matches!(word, "in" | "and" | "or" | "contains" | "startsWith" | "endsWith" | "matches")
        {
            return Err(self.wrong("expected a value, not an operator"));
        }
        self.at += 1;
        if *self.peek() == TokenKind::Punct("(") {
            return self.call(word, start);
        }
        self.counted(match word {
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            "pk" => Node::Field(Field::Pk),
            "sk" => Node::Field(Field::Sk),
            "data" => Node::Field(Field::Data),
            "_created_at" => Node::Field(Field::CreatedAt),
            "_updated_at" => Node::Field(Field::UpdatedAt),
            // `nil`, `null`, and every name that nobody knows.
            _ => Node::Nil,
        })
    }

    fn call(&mut self, name: &str, start: usize) -> Result<Node, ParseError> {
        let each = match name {
            "all" => EachFunction::All,
            "any" => EachFunction::Any,
            "one" => EachFunction::One,
            "none" => EachFunction::None,
            "filter" => EachFunction::Filter,
            "map" => EachFunction::Map,
            "count" => EachFunction::Count,
            _ => return self.call_plain(name, start),
        };
        self.at += 1;
        let list = Box::new(self.nested()?);
        self.expect(",", "expected `,` and a closure")?;
        let braces = self.take("{");
        self.closures += 1;
        let body = self.nested();
        self.closures -= 1;
        let body = Box::new(body?);
        if braces {
            self.expect("}", "expected `}`")?;
        }
        self.expect(")", "expected `)`")?;
        self.counted(Node::Each { function: each, list, body })
    }

    fn call_plain(&mut self, name: &str, start: usize) -> Result<Node, ParseError> {
        let function = match name {
            "len" => Function::Len,
            "abs" => Function::Abs,
            "int" => Function::Int,
            "float" => Function::Float,
            _ => return Err(syntax(start, "no such function in this dialect")),
        };
        self.at += 1;
        let argument = Box::new(self.nested()?);
        self.expect(")", "expected `)` after the one argument")?;
        self.counted(Node::Call { function, argument })
    }

    fn array(&mut self) -> Result<Node, ParseError> {
        self.at += 1;
        let mut items = Vec::new();
        while !self.take("]") {
            if !items.is_empty() {
                self.expect(",", "expected `,` or `]`")?;
                if self.take("]") {
                    break;
                }
            }
            items.push(self.nested()?);
        }
        self.counted(Node::Array(items))
    }

    fn map(&mut self) -> Result<Node, ParseError> {
        self.at += 1;
        let mut pairs = Vec::new();
        while !self.take("}") {
            if !pairs.is_empty() {
                self.expect(",", "expected `,` or `}`")?;
                if self.take("}") {
                    break;
                }
            }
            let key = self.map_key()?;
            self.expect(":", "expected `:` after the key")?;
            pairs.push((key, self.nested()?));
        }
        self.counted(Node::Map(pairs))
    }

    /// A word, a string, a number (as it is written) or an expression in parentheses.
    fn map_key(&mut self) -> Result<Node, ParseError> {
        let at = self.at;
        let token = &mut self.tokens[at];
        let key = match &mut token.kind {
            TokenKind::Word(word) => (*word).to_owned(),
            TokenKind::Text(text) => std::mem::take(text),
            TokenKind::Int(_) | TokenKind::Float(_) => self.text[token.start..token.end].to_owned(),
            TokenKind::Punct("(") => {
                self.at += 1;
                let key = self.nested()?;
                self.expect(")", "expected `)`")?;
                return Ok(key);
            }
            _ => return Err(self.wrong("expected a key")),
        };
        self.literal(Node::Text(key))
    }

    fn path(&mut self, base: Node) -> Result<Node, ParseError> {
        let mut steps = Vec::new();
        loop {
            let step = if self.take(".") {
                Step::Member(self.member()?)
            } else if self.take("?.") {
                Step::OptionalMember(self.member()?)
            } else if self.take("[") {
                self.bracket()?
            } else {
                break;
            };
            self.count()?;
            steps.push(step);
        }
        Ok(match base {
            _ if steps.is_empty() => base,
            // Parentheses do not end a run of members: `(data?.a).b` is `data?.a.b`.
            Node::Path { base, steps: mut first } => {
                first.append(&mut steps);
                Node::Path { base, steps: first }
            }
            base => Node::Path { base: Box::new(base), steps },
        })
    }

    fn member(&mut self) -> Result<String, ParseError> {
        let TokenKind::Word(name) = *self.peek() else {
            return Err(self.wrong("expected a name after `.`"));
        };
        self.at += 1;
        if *self.peek() == TokenKind::Punct("(") {
            return Err(self.wrong("there are no methods in this dialect"));
        }
        Ok(name.to_owned())
    }

    fn bracket(&mut self) -> Result<Step, ParseError> {
        let from = match self.peek() {
            TokenKind::Punct(":") => None,
            _ => Some(self.nested()?),
        };
        let step = match (from, self.take(":")) {
            (Some(index), false) => Step::Index(index),
            (from, _) => {
                let to = match self.peek() {
                    TokenKind::Punct("]") => None,
                    _ => Some(self.nested()?),
                };
                Step::Slice(from, to)
            }
        };
        self.expect("]", "expected `]`")?;
        Ok(step)
    }
}
