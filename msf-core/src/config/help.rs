//! `--help`: the flags, and a table of every key.

use std::fmt;

use super::{
    key::Key,
    layer::variable_name,
    secret::REDACTED,
    toml_text::inline,
    tree::{Node, Value},
};

/// How to configure the program: its flags, and every key with its default and its variable.
///
/// ```
/// use msf_core::config::{Command, Loader, Plain};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # #[serde(default)]
/// # struct Settings { workers: u16 }
/// let Command::Help(help) = Loader::new().args(["--help"]).load::<Plain<Settings>>()? else {
///     panic!("help was asked for");
/// };
/// assert!(help.to_string().ends_with(
///     "KEY      DEFAULT  VARIABLE
/// workers  0        MSF__WORKERS"
/// ));
/// # Ok::<(), msf_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Help {
    program: String,
    prefix: String,
    rows: Vec<[String; 3]>,
}

impl Help {
    pub(super) fn new(program: &str, prefix: &str, known: &Node) -> Self {
        let mut help = Self {
            program: program.to_owned(),
            prefix: prefix.to_owned(),
            rows: Vec::new(),
        };
        help.walk(known, &Key::default());
        help
    }

    fn walk(&mut self, node: &Node, key: &Key) {
        if let Value::Table(table) = &node.value
            && (!table.is_empty() || key.0.is_empty())
        {
            table
                .iter()
                .for_each(|(name, node)| self.walk(node, &key.name(name)));
            return;
        }
        let default = match &node.value {
            Value::Null => "-".to_owned(),
            Value::String(text) if text == REDACTED => "(secret)".to_owned(),
            _ => inline(&node.to_json()),
        };
        let variable = variable_name(&self.prefix, key.names().unwrap_or_default());
        self.rows.push([key.to_string(), default, variable]);
    }
}

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            program,
            prefix,
            rows,
        } = self;
        write!(
            f,
            "usage: {program} [--KEY=VALUE]...

  --config FILE   read settings from a TOML file, as does {prefix}_CONFIG=FILE
  --print-config  print every key, its value and where it came from
  --check-config  check the configuration and do not run
  --help          print this

A flag wins over its variable, a variable over the file, the file over the default."
        )?;
        let header = ["KEY", "DEFAULT", "VARIABLE"].map(str::to_owned);
        let width = |column: fn(&[String; 3]) -> &String| {
            let widths = std::iter::once(&header)
                .chain(rows)
                .map(|row| column(row).chars().count());
            widths
                .filter(|width| *width <= MAX_ALIGNED)
                .max()
                .unwrap_or(0)
        };
        let (first, second) = (width(|row| &row[0]), width(|row| &row[1]));
        writeln!(f)?;
        for [key, default, variable] in std::iter::once(&header).chain(rows) {
            write!(f, "\n{key:first$}  {default:second$}  {variable}")?;
        }
        Ok(())
    }
}

/// Cells up to here share a column.
const MAX_ALIGNED: usize = 48;
