//! Tables that have a short form: a text in their place.

/// Reads a type from a text or from a table, and writes its schema.
macro_rules! short_form {
    (
        $type:ident, $expected:literal,
        $text:ident => $short:expr,
        struct Full { $($field:ident: $of:ty),* $(,)? }
    ) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Full {
                    $($field: $of,)*
                }

                struct TextOrTable;

                impl<'de> serde::de::Visitor<'de> for TextOrTable {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: serde::de::Error>(self, $text: &str) -> Result<$type, E> {
                        Ok($short)
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        map: A,
                    ) -> Result<$type, A::Error> {
                        let table = serde::de::value::MapAccessDeserializer::new(map);
                        let full: Full = serde::Deserialize::deserialize(table)?;
                        Ok($type { $($field: full.$field,)* })
                    }
                }

                deserializer.deserialize_any(TextOrTable)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                #[derive(schemars::JsonSchema)]
                #[serde(deny_unknown_fields)]
                #[expect(dead_code, reason = "only its schema is used")]
                struct Full {
                    $($field: $of,)*
                }

                let table = <Full as schemars::JsonSchema>::json_schema(generator);
                schemars::json_schema!({
                    "description": $expected,
                    "anyOf": [{ "type": "string" }, table],
                })
            }
        }
    };
}

pub(super) use short_form;
