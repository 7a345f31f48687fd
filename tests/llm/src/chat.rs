//! A conversation in the model's own marks, and its next turn: always the likeliest token, until it ends.

use crate::llama::{Memory, Model};
use crate::spoken::Spoken;
use crate::vocabulary::Vocabulary;

/// What the model is told when nobody tells it who it is: its template's own words.
const SYSTEM: &str = "You are a helpful AI assistant named SmolLM, trained by Hugging Face";

pub struct Turn {
    pub role: String,
    pub text: String,
}

/// A model and what it has in mind.
pub struct Speaker {
    model: Model,
    vocabulary: Vocabulary,
    memory: Memory,
    begin: u32,
    end: u32,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The model had no more to say, or said a stop sequence.
    Stop,
    /// It was allowed no more tokens.
    Length,
    /// Nobody listened any longer.
    Left,
}

pub struct Answer {
    pub ending: Ending,
    /// With the token that ends a turn.
    pub tokens: usize,
}

impl Speaker {
    /// # Errors
    /// What the vocabulary lacks.
    pub fn new(model: Model, vocabulary: Vocabulary) -> Result<Self, String> {
        let mark =
            |name: &str| vocabulary.control(name).ok_or_else(|| format!("the model has no mark `{name}`"));
        let (begin, end) = (mark("<|im_start|>")?, mark("<|im_end|>")?);
        Ok(Self { memory: model.memory(), model, vocabulary, begin, end })
    }

    /// The most tokens of question and answer together.
    pub fn context(&self) -> usize {
        self.model.context()
    }

    /// The tokens of a conversation, up to where the model goes on.
    pub fn read(&self, turns: &[Turn]) -> Vec<u32> {
        let mut tokens = Vec::new();
        if turns.first().is_none_or(|turn| turn.role != "system") {
            self.mark(&mut tokens, &format!("system\n{SYSTEM}"));
        }
        for turn in turns {
            self.mark(&mut tokens, &format!("{}\n{}", turn.role, turn.text));
        }
        tokens.push(self.begin);
        tokens.extend(self.vocabulary.tokens("assistant\n"));
        tokens
    }

    /// The next turn. `hears` gets the text as it grows and says whether somebody still listens.
    pub fn answer(
        &mut self,
        read: &[u32],
        most: usize,
        stops: &[String],
        mut hears: impl FnMut(&str) -> bool,
    ) -> Answer {
        let mut tokens = read.to_vec();
        let mut spoken = Spoken::new(stops);
        for count in 1..=most {
            let token = self.model.next(&mut self.memory, &tokens);
            tokens.push(token);
            let ended = token == self.end || token == 0;
            let text = if ended { spoken.end() } else { spoken.grow(&self.vocabulary.bytes(token)) };
            if !hears(&text) {
                return Answer { ending: Ending::Left, tokens: count };
            }
            if ended || spoken.is_over() {
                return Answer { ending: Ending::Stop, tokens: count };
            }
        }
        let listens = hears(&spoken.end());
        Answer { ending: if listens { Ending::Length } else { Ending::Left }, tokens: most }
    }

    fn mark(&self, tokens: &mut Vec<u32>, text: &str) {
        tokens.push(self.begin);
        tokens.extend(self.vocabulary.tokens(text));
        tokens.push(self.end);
        tokens.extend(self.vocabulary.tokens("\n"));
    }
}
