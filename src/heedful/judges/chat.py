"""A chat model as a judge: asked with a rubric, read strictly, cached, and stopped by a budget.

How a question is put is `rubric`'s work, how a reply is read `parsing`'s, and how an endpoint is reached
`completions`'. A reply that cannot be read is asked for again with other labels; what stays unread counts as
undecided. Only verdicts and replies that stayed unreadable are kept: trouble may have passed next time.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import httpx2

from heedful.errors import JudgeError
from heedful.judges.account import Account, Budget, Spent
from heedful.judges.cache import Cache, fingerprint
from heedful.judges.completions import ChatEndpoint, NoCompletion
from heedful.judges.judge import OnDone, Question, Verdict
from heedful.judges.parsing import read
from heedful.judges.rubric import request, system_text
from heedful.judges.workers import results
from heedful.models.endpoint import EndpointError
from heedful.recipe.judges import EndpointSettings

BACKOFF = 1.0
"""Seconds before the first retry."""

LOST_IN_A_ROW = 8
"""Questions without any answer, one after the other, after which an endpoint is given up."""

UNREADABLE, DECLINED, REJECTED = "unreadable", "declined", "rejected"
UNREACHABLE, BUDGET = "unreachable", "budget"
"""Why a question is undecided: no reply could be read, the model would not judge, the endpoint would not take
the request (too long, most often), no answer came, or the budget was spent."""

KEPT = ("", UNREADABLE, DECLINED)
"""Outcomes that another run need not ask for again."""


class ChatJudge:
    """A model behind an OpenAI-compatible chat endpoint.

    Args:
        settings: where it is, how it is asked, and its budget.
        cache: what was answered before; by default the endpoint's and model's file in the cache folder.
        backoff: seconds before the first retry.
        wait: spends the seconds between two attempts; by default they end with the call.
        account: where what it takes is taken down, and the budget; one of its own by default.
        repeat: how often everything was asked before, of a judge that is asked again.

    Attributes:
        account: what it was asked and what that took.

    Raises:
        JudgeError: the URL is none, or an environment variable is not set.
    """

    symmetric = False

    def __init__(
        self,
        settings: EndpointSettings,
        *,
        cache: Cache | None = None,
        backoff: float = BACKOFF,
        wait: Callable[[float], object] | None = None,
        account: Account | None = None,
        repeat: int = 0,
    ) -> None:
        self.name, self.settings, self.wait = settings.model, settings, wait
        self.endpoint = ChatEndpoint(settings, backoff=backoff)
        self.cache = cache if cache is not None else Cache.of(self.endpoint.url, settings.model)
        self.system = system_text(settings.rubric, settings.criteria)
        budget = Budget(settings.max_requests, settings.max_cost, settings.price_in, settings.price_out)
        self.account = account if account is not None else Account(budget)
        self._backoff, self._repeat = backoff, repeat

    def again(self, number: int) -> ChatJudge:
        """The same judge, with the same account, that has not been asked yet: other labels, another seed."""
        return ChatJudge(
            self.settings.model_copy(update={"seed": self.settings.seed + number}),
            cache=self.cache,
            backoff=self._backoff,
            wait=self.wait,
            account=self.account,
            repeat=self._repeat + number,
        )

    def __call__(self, questions: Sequence[Question], on_done: OnDone | None = None) -> list[Verdict]:
        """One verdict per question; the same question is asked once.

        Raises:
            JudgeError: the endpoint cannot be reached, wants another key, or answers no request; or the cache
                cannot be read or written. What was answered until then is kept.
        """
        keys = [self._key(question) for question in questions]
        found: dict[str, Verdict] = {}
        to_ask: dict[str, Question] = {}
        for key, question in zip(keys, questions, strict=True):
            kept = self.kept(key)
            if kept is not None:
                found[key] = kept
            else:
                to_ask[key] = question
        times = Counter(keys)
        done = sum(times[key] for key in found)
        call = _Call(self, answered=bool(found))
        for key, verdict in call.answers(to_ask):
            found[key] = verdict
            done += times[key]
            if on_done is not None:
                on_done(done)
        for key in keys:
            self.account.question(found[key].undecided, known=key not in to_ask)
            to_ask.pop(key, None)  # from now on it is known
        return [found[key] for key in keys]

    def kept(self, key: str) -> Verdict | None:
        """What was said to a question before; that its replies were unreadable holds for as many tries."""
        return self.cache.get(key) or self.cache.get(f"{key} {self.settings.tries}")

    def keep(self, key: str, verdict: Verdict) -> None:
        """Put a verdict down, unless another run may find out more."""
        if verdict.undecided in KEPT:
            tries = f" {self.settings.tries}" if verdict.undecided == UNREADABLE else ""
            self.cache.put(f"{key}{tries}", verdict)

    def _key(self, question: Question) -> str:
        turns = [[turn.role, turn.content] for turn in question.prompt]
        how = [self.settings.seed, self._repeat, self.settings.max_tokens]
        asked = [self.endpoint.url, self.settings.model, self.system, *how]
        return fingerprint(*asked, turns, question.first, question.second)


class _Call:
    """One call of a judge: its connections, and when to give up.

    Args:
        answered: whether anything was ever answered, so that what is refused now is about its question.
    """

    def __init__(self, judge: ChatJudge, *, answered: bool) -> None:
        self._judge, self._answered = judge, answered
        self._over = threading.Event()
        self._wait = judge.wait if judge.wait is not None else self._over.wait
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._trouble: EndpointError | None = None

    def answers(self, questions: Mapping[str, Question]) -> Iterator[tuple[str, Verdict]]:
        """Every question's key with its verdict, as they come in.

        The first is asked by itself: what is wrong with a key or a parameter is then found out once.
        """
        at_once = self._judge.settings.at_once
        jobs = list(questions.items())
        try:
            with self._judge.endpoint.connect(at_once) as client:
                for some in (jobs[:1], jobs[1:]):
                    for (key, _), verdict in results(partial(self._ask, client), some, at_once):
                        yield key, verdict
        finally:
            self._over.set()
        if self._trouble is not None and not self._answered:
            raise self._given_up(self._trouble)

    def _ask(self, client: httpx2.Client, job: tuple[str, Question]) -> Verdict:
        key, question = job
        try:
            verdict = self._asked(client, question)
        except Spent as spent:
            verdict = Verdict(None, why=str(spent), undecided=BUDGET)
        except EndpointError as error:
            verdict = self._unanswered(error)
        self._judge.keep(key, verdict)
        return verdict

    def _asked(self, client: httpx2.Client, question: Question) -> Verdict:
        """The verdict that a question gets, asked as often as the settings say.

        Raises:
            EndpointError: no answer came, or none that is a completion.
            Spent: the budget was spent first.
        """
        why, trouble = "", None
        for _ in range(self._judge.settings.tries):
            asked = request(question, self._judge.system)
            try:
                came = self._judge.endpoint(client, asked, before=self._before, wait=self._wait)
            except NoCompletion as error:
                trouble = error
                continue
            trouble = None
            reading = read(came.text, asked.labels)
            choice = None if came.refused else reading.choice
            self._judge.account.reply(came.tokens, read=choice is not None)
            self._is_there()
            if came.refused:
                return Verdict(None, why="it declined to judge", undecided=DECLINED)
            if choice is not None:
                return Verdict(choice, why=reading.reason)
            why = "its reply was cut: raise endpoint.max_tokens" if came.cut else reading.reason
        if trouble is not None:
            raise trouble
        return Verdict(None, why=why, undecided=UNREADABLE)

    def _before(self) -> None:
        if self._over.is_set():
            raise EndpointError("nobody waits for it any more")
        self._judge.account.request()

    def _is_there(self) -> None:
        with self._lock:
            self._answered, self._in_a_row = True, 0

    def _unanswered(self, error: EndpointError) -> Verdict:
        """A question without an answer.

        Raises:
            JudgeError: there were too many of them.
        """
        rejected = error.status is not None
        with self._lock:
            self._trouble = error
            # An endpoint that was ever of use and refuses a request is there all the same.
            self._in_a_row += not (rejected and self._answered)
            hopeless = self._in_a_row >= LOST_IN_A_ROW
        if hopeless:
            raise self._given_up(error)
        return Verdict(None, why=str(error), undecided=REJECTED if rejected else UNREACHABLE)

    def _given_up(self, error: EndpointError) -> JudgeError:
        mend = "What was answered is kept: run this again to go on."
        return JudgeError(f"{error}.", where=self._judge.endpoint.where, mend=mend)
