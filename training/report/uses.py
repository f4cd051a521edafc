"""What a model is for, and what not, in sentences: of one that reads digits, and of any other."""

from training.report.findings import Findings


def intended(findings: Findings) -> list[str]:
    """What it was made for, by whom it is used, and what it must not be used for."""
    if findings.reads_digits:
        return [
            "To read one handwritten digit, 0 to 9, in a picture that holds nothing else: for teaching, for "
            "experiments, and as a part of programs that read forms, meters or notes and have their readings checked.",
            "Not for decisions about people or money that nobody looks at, not for letters or printed pages, "
            "and not to tell who wrote something.",
        ]
    return [
        "To tell the ten classes above apart, in pictures of 28x28 that were made as the training pictures were: for "
        "teaching and for experiments.",
        "Not for other pictures: it answers one of the ten to whatever it is given.",
    ]


def _drawn(findings: Findings) -> str:
    recipe = findings.metadata.get("recipe")
    drawn = recipe.get("drawn") if isinstance(recipe, dict) else None
    return f"; {drawn:,} drawn ones were added" if drawn else ""


def factors(findings: Findings) -> list[str]:
    """What makes it better or worse."""
    if findings.reads_digits:
        return [
            "How a digit is written: MNIST's come from the USA, so a crossed 7, a 1 with a foot or a closed 4 of other "
            "schools is rare in them" + _drawn(findings) + ". Which digit it is: see the table of classes.",
            "How the picture was taken: MNIST's are clean, upright, 20 pixels long and centred by mass. The service "
            "prepares other pictures so, as well as that goes; shadows, rules and touching neighbours remain harder.",
        ]
    return [
        "How like the training pictures a picture is: in size, place, turn and light. Which class: see their table."
    ]


def ethics(findings: Findings) -> list[str]:
    """Whom it might harm."""
    if findings.reads_digits:
        return [
            "A misread digit in an amount, a date, a dose or a telephone number harms whoever it belongs to, and a "
            "confident answer tempts to look no further. Handwriting differs by country, age and health, and MNIST "
            "does not say whose it is, so how fairly the mistakes are spread can't be measured with it."
        ]
    return [
        "The data does not say whom or what its pictures stand for, so how fairly the mistakes are spread can't be "
        "measured with it."
    ]


def limits(findings: Findings) -> list[str]:
    """Where not to believe it, and what to do instead."""
    return [
        f"The figures hold for pictures like the {len(findings.pictures):,} of the test set; expect less elsewhere, "
        "and measure it on pictures of your own before you rely on it.",
        _confidence(findings),
        _strangers(findings),
        "Have a person look at what it is unsure of, and at a sample of the rest.",
    ]


def _confidence(findings: Findings) -> str:
    temperature = findings.about("temperature")
    if isinstance(temperature, int | float):
        return (
            f"Its confidence was calibrated (temperature {temperature:.4g}, folded into the last layer) on pictures "
            "that were held out; it means what it says on such pictures, and less on others."
        )
    gap = float(findings.test.confidence.mean()) - findings.test.accuracy
    side = "above" if gap > 0 else "below"
    return (
        "Its confidence is the bare output of the network, not calibrated: on the test set it is "
        f"{100 * abs(gap):.2f} points {side} the accuracy; on other pictures it may be far above."
    )


def _strangers(findings: Findings) -> str:
    threshold = findings.about("thresholds", "not_a_digit")
    if isinstance(threshold, int | float):
        return (
            f"What is no digit is warned of by a score and a threshold ({threshold:.4g}). The warning misses some and "
            "is raised at some digits; the answer is given all the same."
        )
    return "It has no notion of what belongs to no class: a letter, a blot or a face gets one of the ten answers, too."
