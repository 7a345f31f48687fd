//! What is read of a chat completion is written so that the same is read again; answers and other forms never fail on
//! what one form took.
#![no_main]

use bedplate_core::form::Form;
use bedplate_wire::translate::{Told, Wanted, answer, request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let wanted = || Wanted { model: "gpt-x", ..Wanted::default() };
    for form in [Form::Chat, Form::MistralChat, Form::Jamba] {
        if let Ok(once) = request(form, form, data, wanted()) {
            assert!(serde_json::from_slice::<&serde_json::value::RawValue>(&once.body).is_ok());
            let twice = request(form, form, &once.body, wanted()).expect("what was written is read");
            assert_eq!(once.body, twice.body);
        }
        if let Ok(other) = request(Form::Chat, form, data, wanted()) {
            request(form, Form::Chat, &other.body, wanted()).expect("what was written is read");
        }
        if let Ok(other) = request(Form::Chat, Form::Messages, data, wanted()) {
            assert!(serde_json::from_slice::<&serde_json::value::RawValue>(&other.body).is_ok());
        }
        if let Ok(once) = answer(form, Form::Chat, data, &Told::default()) {
            let twice = answer(Form::Chat, Form::Chat, &once, &Told::default()).expect("what was written is read");
            assert!(serde_json::from_slice::<&serde_json::value::RawValue>(&twice).is_ok());
        }
    }
});
