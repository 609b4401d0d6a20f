//! (pure) The tree of a parsed statement.
//! Owned and immutable, so that one parsed condition can judge any number of rows.

use regex_lite::Regex;

/// One part of a statement. A path is flat: `data.a.b.c` is one node with three steps.
#[derive(Debug)]
pub(super) enum Node {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Field(Field),
    /// `#`: the element that the innermost closure looks at.
    Item,
    Array(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Path {
        base: Box<Node>,
        steps: Vec<Step>,
    },
    Not(Box<Node>),
    Sign {
        negative: bool,
        of: Box<Node>,
    },
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Coalesce(Box<Node>, Box<Node>),
    Binary {
        operator: Operator,
        left: Box<Node>,
        right: Box<Node>,
    },
    Matches {
        text: Box<Node>,
        pattern: Regex,
    },
    /// `cond ? yes : no`; `cond ?: no` has no `yes` and gives the condition itself.
    Choose {
        cond: Box<Node>,
        yes: Option<Box<Node>>,
        no: Box<Node>,
    },
    Call {
        function: Function,
        argument: Box<Node>,
    },
    Each {
        function: EachFunction,
        list: Box<Node>,
        body: Box<Node>,
    },
}

/// What a row gives by name. Every other name is nil.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Pk,
    Sk,
    Data,
    CreatedAt,
    UpdatedAt,
}

/// One step of a path.
#[derive(Debug)]
pub(super) enum Step {
    /// `.name`
    Member(String),
    /// `?.name`: nil ends the run of members that begins here.
    OptionalMember(String),
    /// `[index]`
    Index(Node),
    /// `[from:to]`
    Slice(Option<Node>, Option<Node>),
}

/// Operators that look at the values of both sides, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Contains,
    StartsWith,
    EndsWith,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Operator {
    /// As it is written in a statement.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::Contains => "contains",
            Self::StartsWith => "startsWith",
            Self::EndsWith => "endsWith",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        }
    }

    /// Whether it always gives a bool.
    pub(super) fn is_test(self) -> bool {
        !matches!(self, Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Modulo)
    }
}

/// Functions of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Len,
    Abs,
    Int,
    Float,
}

/// Functions of an array and a closure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EachFunction {
    All,
    Any,
    One,
    None,
    Filter,
    Map,
    Count,
}

impl EachFunction {
    /// As it is written in a statement.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Any => "any",
            Self::One => "one",
            Self::None => "none",
            Self::Filter => "filter",
            Self::Map => "map",
            Self::Count => "count",
        }
    }

    /// Whether it always gives a bool.
    pub(super) fn is_test(self) -> bool {
        matches!(self, Self::All | Self::Any | Self::One | Self::None)
    }
}
