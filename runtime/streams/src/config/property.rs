//! What is known of a property: one row of the tables.

/// A property's row.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Its name, without prefix.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// The value without one being set; `None`: unset.
    pub default: Option<&'static str>,
    /// Which values are taken.
    pub check: Check,
    /// How much it matters, as Kafka ranks it.
    pub importance: Importance,
    /// What setting it does here.
    pub effect: Effect,
    /// One line.
    pub doc: &'static str,
}

/// The types of values, as Kafka names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// 32 bits. If the name ends in `.ms`, a duration: `30000` or `30s`.
    Int,
    /// 64 bits. If the name ends in `.ms`, a duration: `30000` or `30s`.
    Long,
    /// A number.
    Double,
    /// Text.
    Text,
    /// Words with commas between them.
    List,
    /// A Java class that has a counterpart here, by its full or short name.
    Class,
    /// Text that is never shown.
    Password,
}

/// The values that a property takes, beyond its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// All.
    Any,
    /// Numbers from here on.
    AtLeast(i64),
    /// Numbers in between, both included.
    Between(i64, i64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of these words in any case.
    OneOfIgnoringCase(&'static [&'static str]),
    /// Words of these.
    SomeOf(&'static [&'static str]),
    /// Not the empty text.
    NotEmpty,
}

/// Kafka's ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// To be thought about by everybody.
    High,
    /// Worth knowing.
    Medium,
    /// Rarely touched.
    Low,
}

/// What setting a property does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It works as in Kafka Streams.
    Used,
    /// An older name of another property; that one wins if both are set.
    AliasOf(&'static str),
    /// It is decided elsewhere: a value is named in a warning, with this reason, and ignored.
    Controlled(&'static str),
    /// It is always this value: another one is named in a warning and ignored.
    Fixed(&'static str),
    /// The same, under exactly-once only.
    FixedUnderExactlyOnce(&'static str),
    /// Java knows it, and nothing here answers to it: a value is named in a warning, with this reason.
    MeansNothingHere(&'static str),
    /// Java knows it, and ignoring it would change what the application does: a value other than the default is refused, with this
    /// reason.
    Unsupported(&'static str),
}

/// A property that works as in Kafka Streams.
pub(super) const fn used(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    importance: Importance,
    doc: &'static str,
) -> Property {
    Property {
        name,
        kind,
        default,
        check: Check::Any,
        importance,
        effect: Effect::Used,
        doc,
    }
}

/// A property without effect, for the reason given.
pub(super) const fn nothing(name: &'static str, kind: Kind, why: &'static str) -> Property {
    let effect = Effect::MeansNothingHere(why);
    Property {
        name,
        kind,
        default: None,
        check: Check::Any,
        importance: Importance::Low,
        effect,
        doc: "",
    }
}

/// A property that is refused unless it has its default, for the reason given.
pub(super) const fn unsupported(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    why: &'static str,
) -> Property {
    let effect = Effect::Unsupported(why);
    Property {
        name,
        kind,
        default,
        check: Check::Any,
        importance: Importance::Low,
        effect,
        doc: "",
    }
}

impl Property {
    pub(super) const fn at_least(mut self, least: i64) -> Self {
        self.check = Check::AtLeast(least);
        self
    }

    pub(super) const fn between(mut self, least: i64, most: i64) -> Self {
        self.check = Check::Between(least, most);
        self
    }

    pub(super) const fn one_of(mut self, words: &'static [&'static str]) -> Self {
        self.check = Check::OneOf(words);
        self
    }

    pub(super) const fn one_of_ignoring_case(mut self, words: &'static [&'static str]) -> Self {
        self.check = Check::OneOfIgnoringCase(words);
        self
    }

    pub(super) const fn some_of(mut self, words: &'static [&'static str]) -> Self {
        self.check = Check::SomeOf(words);
        self
    }

    pub(super) const fn not_empty(mut self) -> Self {
        self.check = Check::NotEmpty;
        self
    }

    pub(super) const fn with(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Whether its value is a duration in milliseconds, which may also be written `30s`.
    #[must_use]
    pub fn is_duration(&self) -> bool {
        matches!(self.kind, Kind::Int | Kind::Long) && self.name.ends_with(".ms")
    }
}
