"""The sentences that a menu says of its own accord: a wrong key, an unknown number, an apology."""

from collections.abc import Mapping

from changgu.ivr_flows.nodes import (
    CallbackRequest,
    CollectDigits,
    CollectSpeech,
    NamedPrompt,
    Record,
    SendMessage,
    ToNumber,
    YesNo,
)

WRONG_KEY = NamedPrompt("wrong_key")
NOTHING_PRESSED = NamedPrompt("nothing_pressed")
NO_INPUT_PERSON = NamedPrompt("no_input_person")
TICKET_UNKNOWN = NamedPrompt("ticket_unknown")
TICKET_UNKNOWN_TWICE = NamedPrompt("ticket_unknown_twice")
LOOK_UP_FAILED = NamedPrompt("look_up_failed")
NOT_UNDERSTOOD = NamedPrompt("not_understood")
NUMBER_IS = NamedPrompt("number_is")
CONFIRM_NUMBER = NamedPrompt("confirm_number")
MESSAGE_FAILED = NamedPrompt("message_failed")
CALLBACK_PROMISED = NamedPrompt("menu_callback_promised")
RECORDING_FAILED = NamedPrompt("recording_failed")
NUMBER_FAILED = NamedPrompt("menu_number_failed")

OWN_PROMPTS = (WRONG_KEY, NOTHING_PRESSED, NO_INPUT_PERSON, TICKET_UNKNOWN, TICKET_UNKNOWN_TWICE, LOOK_UP_FAILED)
"""Sentences every site needs whatever its menus say."""

PROMPTS_OF: Mapping[type, tuple[NamedPrompt, ...]] = {
    CollectDigits: (NUMBER_IS, CONFIRM_NUMBER),
    CollectSpeech: (NOT_UNDERSTOOD,),
    YesNo: (NOT_UNDERSTOOD,),
    SendMessage: (MESSAGE_FAILED,),
    CallbackRequest: (CALLBACK_PROMISED,),
    Record: (RECORDING_FAILED,),
    ToNumber: (NUMBER_FAILED,),
}
"""Sentences that a flow needs beside its own when it has nodes of these kinds."""
