//! Objects with ordered fields, and how `map` and `mapValues` build them.

use super::{Name, Str, Value};

/// An object: fields in the order in which they were given, each name once. A later value for a name takes the earlier one's place,
/// as in Jackson's `ObjectNode`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    fields: Vec<(Str, Value)>,
}

impl Map {
    /// An object without fields, with room for `fields`.
    #[must_use]
    pub fn with_capacity(fields: usize) -> Self {
        Map {
            fields: Vec::with_capacity(fields),
        }
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.get_bytes(name.as_bytes())
    }

    pub(crate) fn get_bytes(&self, name: &[u8]) -> Option<&Value> {
        // Objects that an application computes have a handful of fields: a scan beats a hash.
        self.fields
            .iter()
            .find(|(n, _)| n.as_bytes() == name)
            .map(|(_, value)| value)
    }

    /// Sets a field: in its place if there is one of this name, else at the end.
    pub fn insert(&mut self, name: impl Into<Str>, value: Value) {
        let name = name.into();
        match self.fields.iter_mut().find(|(n, _)| *n == name) {
            Some((_, present)) => *present = value,
            None => self.fields.push((name, value)),
        }
    }

    /// Adds a field whose name is known to be new.
    pub(crate) fn push_new(&mut self, name: Str, value: Value) {
        debug_assert!(self.get_bytes(name.as_bytes()).is_none());
        self.fields.push((name, value));
    }

    /// Removes a field.
    pub fn remove(&mut self, name: &str) {
        self.fields.retain(|(n, _)| *n != name);
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fields in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Str, &Value)> {
        self.fields.iter().map(|(name, value)| (name, value))
    }
}

impl<N: Into<Str>> FromIterator<(N, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(fields: I) -> Self {
        let mut map = Map::default();
        for (name, value) in fields {
            map.insert(name, value);
        }
        map
    }
}

/// Builds the object of `{fields: [..]}`, `{add: [..]}` or `{drop: [..]}`.
///
/// ```
/// use millrace_language::value::{Map, Name, ObjectBuilder, Value};
///
/// let order = Value::from(Map::from_iter([("id", Value::from(1)), ("total", Value::from(20))]));
/// let mut object = ObjectBuilder::from_value(&order).unwrap();
/// object.set(Name::new("total"), Value::from(21)); // keeps its place
/// object.set(Name::new("paid"), Value::from(true)); // goes to the end
/// object.drop(Name::new("id"));
/// assert_eq!(object.build().to_string(), r#"{"total":21,"paid":true}"#);
/// ```
#[derive(Debug, Default)]
pub struct ObjectBuilder {
    map: Map,
}

impl ObjectBuilder {
    /// Starts without fields, for `{fields: [..]}`.
    #[must_use]
    pub fn new(fields: usize) -> Self {
        ObjectBuilder {
            map: Map::with_capacity(fields),
        }
    }

    /// Starts with the fields of `value`, for `{add: [..]}` and `{drop: [..]}`. Nested documents stay the bytes they are.
    ///
    /// # Errors
    /// If `value` is no object; the message says what it is.
    pub fn from_value(value: &Value) -> Result<Self, crate::expression::EvalError> {
        let map = match value {
            Value::Map(map) => Map::clone(map),
            Value::Json(doc) if doc.is_object() => doc.fields(),
            other => {
                return Err(crate::expression::EvalError::new(format!(
                    "fields can be added to or dropped from an object only, and the value is {}",
                    other.type_name()
                )));
            }
        };
        Ok(ObjectBuilder { map })
    }

    /// Sets a field: in its place if there is one of this name, else at the end.
    pub fn set(&mut self, name: Name, value: Value) {
        self.map.insert(name, value);
    }

    /// Leaves a field out, if it is there.
    pub fn drop(&mut self, name: Name) {
        self.map.remove(name.as_str());
    }

    /// The object.
    #[must_use]
    pub fn build(self) -> Value {
        Value::from(self.map)
    }
}
