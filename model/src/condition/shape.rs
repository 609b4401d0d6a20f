//! (pure) What a statement gives whatever the row: a statement must be a bool by its shape.
//! The rules are those of antonmedv/expr v1.12.5 for an environment of unknown values.

use super::tree::Node;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Bool,
    Nil,
    /// Only the row can tell: a member, an index, an element.
    Unknown,
    /// Surely neither a bool nor nil.
    Other,
}

pub(super) fn of(node: &Node) -> Shape {
    match node {
        Node::Nil => Shape::Nil,
        Node::Bool(_) | Node::Not(_) | Node::And(..) | Node::Or(..) | Node::Matches { .. } => {
            Shape::Bool
        }
        Node::Binary { operator, .. } if operator.is_test() => Shape::Bool,
        Node::Each { function, .. } if function.is_test() => Shape::Bool,
        Node::Coalesce(left, right) => match (of(left), of(right)) {
            (Shape::Nil, shape) | (shape, Shape::Nil) => shape,
            (left, right) if left == right => left,
            _ => Shape::Unknown,
        },
        Node::Choose { cond, yes, no } => {
            let yes = yes.as_deref().unwrap_or(cond);
            match (of(yes), of(no)) {
                (Shape::Nil, shape) | (shape, Shape::Nil) => shape,
                // A bool may stand where anything may, but not the other way round.
                (Shape::Bool, Shape::Unknown) => Shape::Bool,
                (yes, no) if yes == no => yes,
                _ => Shape::Unknown,
            }
        }
        Node::Path { .. } | Node::Item => Shape::Unknown,
        _ => Shape::Other,
    }
}
