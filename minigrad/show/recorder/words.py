"""What the recorder asks a person to write where no other words are given."""

from __future__ import annotations

# Short enough for a phone held upright. Every letter is there at least four times, every capital at least once, every digit
# twice, and the marks that the set ``hershey`` has, so that a hand that learned from it can learn from these too.
WORDS = (
    "the", "and", "that", "which", "would", "quick", "brown", "jumps", "over", "lazy", "fox",
    "Hello", "world", "queen", "jacket", "zigzag", "puzzle", "oxygen", "expect", "mixture",
    "January", "February", "Quebec", "Zurich", "Xavier", "Vienna", "Kyoto", "Lisbon", "Geneva", "Oslo",
    "Will you?", "Yes, I will.", "Don't go!", "Thank you;", "listen: now", '"Perhaps,"', "she said.", "Dear Sir,",
    "Berlin", "Ulm", "Edward", "Isaac", "Nora", "Peter", "Rachel", "Sophie", "Tom, Ann", "Charles", "Martha",
    "half-way", "(or not)", "2024", "1,350", "67-89", "3.14", "9 to 615", "5 of 80", "24.07.",
    "bridge", "follow", "kingdom", "knife", "subject", "project", "value", "very", "square",
    "believe", "school", "through", "night", "always", "people", "little", "summer", "coffee", "fjord", "equal", "six", "hazel",
)  # fmt: skip
