//! Which way a run converts the database: from a clear one to an encrypted one, or
//! back. Both go by the same steps; here is what people are told of each.

/// Whether whoever has the disk can read a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Clear,
    Encrypted,
}

impl Form {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Clear, Self::Encrypted];

    /// In one word, for people and in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Encrypted => "encrypted",
        }
    }
}

/// What a run makes of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// A clear database becomes an encrypted one, behind the gate.
    Encrypt,
    /// The encrypted database becomes a clear one, which needs no stayput.
    Decrypt,
}

impl Conversion {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Encrypt, Self::Decrypt];

    /// The command that begins such a run, and goes on with it.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Encrypt => "stayput mariadb enable",
            Self::Decrypt => "stayput mariadb disable --clear",
        }
    }

    /// The command that goes back to the original.
    pub const fn undo_command(self) -> &'static str {
        match self {
            Self::Encrypt => "stayput mariadb enable --undo",
            Self::Decrypt => "stayput mariadb disable --undo",
        }
    }

    /// What the run begins with.
    pub const fn from(self) -> Form {
        match self {
            Self::Encrypt => Form::Clear,
            Self::Decrypt => Form::Encrypted,
        }
    }

    /// What it makes.
    pub const fn to(self) -> Form {
        match self {
            Self::Encrypt => Form::Encrypted,
            Self::Decrypt => Form::Clear,
        }
    }

    /// What the original is called.
    pub const fn original(self) -> &'static str {
        match self {
            Self::Encrypt => "clear original",
            Self::Decrypt => "encrypted original",
        }
    }

    /// What the copy is called.
    pub const fn copy(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypted copy",
            Self::Decrypt => "clear copy",
        }
    }
}
