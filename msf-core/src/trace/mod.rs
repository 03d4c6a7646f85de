//! (being written)
pub struct Placeholder;
pub fn current() -> Option<Placeholder> {
    None
}
impl Placeholder {
    pub fn trace(&self) -> &Self {
        self
    }
    pub fn trace_id(&self) -> &'static str {
        ""
    }
}
