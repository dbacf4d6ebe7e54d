// Contract of seats: shows, their seat maps, holds, and the fair queue of a show in demand. All times are Postgres' own.
import { hash } from "node:crypto";
import { z } from "zod";
import { action, type OwnError } from "../../contract/action.ts";
import { Id } from "../../contract/id.ts";
import { Price, Total } from "../../contract/money.ts";
import { Page } from "../../contract/page.ts";
import { text } from "../../contract/text.ts";
import { roomSubscription, topic } from "../../contract/topic.ts";

export const MAX_SEATS = 20_000;
export const MAX_SEATS_OF_HOLD = 10;
/** Open holds of one buyer for one show. */
export const MAX_OPEN_HOLDS = 3;
/** The body of a show with `MAX_SEATS` seats that give every field, with names of 64 characters: 300 bytes and seven values for each seat. */
const MAX_SHOW_BODY = { bytes: 6 * 1024 * 1024, values: 7 * MAX_SEATS };

const CONTROL = /\p{Cc}/u;
const label = (max: number) =>
	text(max, z.string().trim()).refine(name => !CONTROL.test(name), "must not contain control characters");
const Category = label(64);
/** Names that differ only by spaces around them would look the same. */
const Name = Id.refine(name => name.trim() === name, "must not begin or end with a space");
const SeatNumber = z.int().min(0).max(1_000_000);

const NewSeat = z.strictObject({
	seat: Name,
	row: Name.optional(),
	number: SeatNumber.optional(),
	category: Category.optional(),
	price: Price.optional()
});
const shortText = { type: "string", minLength: 1, maxLength: 64 };
/** A name alone, such as `A1`, or with more fields; those that are missing are derived from it (seats.rules.ts). A union would not say which field is invalid. */
const GivenSeat = z
	.union(
		[
			z.string().meta({ ...shortText }),
			z.record(z.string(), z.unknown()).meta({
				properties: {
					seat: shortText,
					row: shortText,
					number: { type: "integer", minimum: 0, maximum: 1_000_000 },
					category: shortText,
					price: { type: "number", minimum: 0, maximum: 1_000_000, multipleOf: 0.01 }
				},
				required: ["seat"],
				additionalProperties: false
			})
		],
		"must be the name of a seat, or have the fields seat, row, number, category and price"
	)
	.transform(given => (typeof given === "string" ? { seat: given } : given))
	.pipe(NewSeat);

/** Reports each name that an earlier item has too. The list can be long, and only a few errors are answered. */
function checkRepeated<Item>(nameOf: (item: Item) => string) {
	return (items: Item[], { addIssue }: z.RefinementCtx) => {
		const first = new Map<string, number>();
		let issues = 0;
		for (const [n, item] of items.entries()) {
			const earlier = first.get(nameOf(item));
			if (earlier === undefined) first.set(nameOf(item), n);
			else if (++issues <= 10) addIssue({ code: "custom", path: [n], message: `is the same seat as seats.${earlier}` });
		}
	};
}

/** The years that a date and time in UTC can be written with; Postgres and JavaScript know others. */
const [EARLIEST_MS, LATEST_MS] = [Date.parse("0001-01-01T00:00:00Z"), Date.parse("9999-12-31T23:59:59.999Z")];
const Time = z.iso.datetime({ offset: true }).refine(time => {
	const ms = Date.parse(time);
	return EARLIEST_MS <= ms && ms <= LATEST_MS;
}, "must be in the years 1 to 9999 UTC");
export const Queue = z.strictObject({
	opensAt: Time.describe("From then on people are admitted: those who came earlier in a drawn order, later ones as they came"),
	admitPerSecond: z.number().positive().max(10_000)
});

export const Show = z.strictObject({
	showId: Id,
	name: z.string(),
	startsAt: z.iso.datetime(),
	seatCount: z.int(),
	createdAt: z.iso.datetime(),
	queue: Queue.optional()
});
export const SeatStatus = z.enum(["free", "held", "sold"]);
export const Seat = z.strictObject({
	seat: Id,
	row: Id,
	number: SeatNumber,
	category: z.string(),
	price: Price,
	status: SeatStatus
});
/** `version` numbers the changes of the map. */
export const SeatMap = z.strictObject({ showId: Id, version: z.int(), seats: z.array(Seat) });
export const Hold = z.strictObject({
	holdId: Id,
	showId: Id,
	seats: z.array(Id),
	total: Total,
	expiresAt: z.iso.datetime()
});
export const Sold = z.strictObject({ holdId: Id, showId: Id, seats: z.array(Id), status: z.literal("sold") });
export const Place = z.strictObject({
	state: z.enum(["waiting", "admitted"]),
	ahead: z.int().nonnegative().describe("How many are admitted before this account"),
	until: z.iso.datetime().describe("While waiting: when the account is admitted if the rate is used fully; admitted: until when")
});

// Additional fields of foreign producers are kept: they reach the clients with the message.
export const SeatsUpdated = z.looseObject({
	showId: Id,
	version: z.int(),
	seats: z.array(z.looseObject({ seat: Id, status: SeatStatus }))
});
export const HoldExpired = z.looseObject({ holdId: Id, showId: Id, buyerId: Id, seats: z.array(Id) });
export const QueueUpdated = z.looseObject({ showId: Id, userId: Id, ...Place.shape });

const byID = z.strictObject({ id: Id });
const exampleSeats = [
	{ seat: "A1", row: "A", number: 1, category: "stalls", price: 45 },
	{ seat: "A2", row: "A", number: 2, category: "stalls", price: 45 }
];
const exampleQueue = { opensAt: "2026-01-31T12:00:00.000Z", admitPerSecond: 50 };
const exampleShow = {
	showId: "0d8c2b6e-6f0b-4f57-8f6c-1b0a9e5d7c31",
	name: "Hamlet",
	startsAt: "2026-03-01T19:30:00.000Z",
	seatCount: exampleSeats.length,
	createdAt: "2026-01-30T09:00:00.000Z",
	queue: exampleQueue
};
const exampleHold = {
	holdId: "b5a0d1f2-7c1e-4d0f-8f3e-2f9f7d1c6a10",
	showId: exampleShow.showId,
	seats: exampleSeats.map(({ seat }) => seat),
	total: 90,
	expiresAt: "2026-01-31T12:10:00.000Z"
};
const { expiresAt: _, total: __, ...exampleSold } = { ...exampleHold, status: "sold" as const };

export const ERRORS = {
	NOT_ADMITTED: { type: "NOT_ADMITTED", status: 403, when: "the show has a queue, and the caller has no admitted place in it" },
	SEATS_TAKEN: { type: "SEATS_TAKEN", status: 409, when: "at least one seat is held or sold; `data.taken` lists all of these" },
	NOT_ENOUGH_SEATS: { type: "NOT_ENOUGH_SEATS", status: 409, when: "fewer seats are free than requested" },
	TOO_MANY_HOLDS: { type: "TOO_MANY_HOLDS", status: 409, when: "the caller has as many open holds of this show as are allowed" },
	HOLD_EXPIRED: { type: "HOLD_EXPIRED", status: 409, when: "the hold has ended" }
} satisfies Record<string, OwnError>;

const listed = (field: unknown) => (Array.isArray(field) ? field.length : 0);
/** Seats of a new show that cost as much as a request. */
const NEW_SEATS_PER_REQUEST = 20;
/** Seats of a hold that cost as much as a request: each is locked, reserved and sold. */
const SEATS_PER_REQUEST = 5;
/** Requests that a choice of the best seats costs: it reads the status of every seat of the show. */
const BEST_COST = 10;

/** The version, and a hash of the statuses: after Postgres was restored, an equal version may have other statuses. */
const toTag = ({ version, seats }: SeatMap) =>
	`${version}-${hash("sha1", seats.map(({ status }) => status[0]).join("")).slice(0, 8)}`;
/** Of maps that are answered again: the service answers the same object until the map changes. */
const tags = new WeakMap<SeatMap, string>();
function etagOf(map: SeatMap): string {
	const tag = tags.get(map) ?? toTag(map);
	tags.set(map, tag);
	return tag;
}

export const actions = {
	/** Answers after the show is committed with all its seats. Errors: `UNAVAILABLE`: nothing of it is stored, or all. */
	"seats.createShow": action({
		summary: "Creates a show: each seat is its name, such as A1, or an object; with a queue, buyers must be admitted first",
		params: z.strictObject({
			name: label(200),
			startsAt: Time,
			seats: z
				.array(GivenSeat)
				.min(1, "must have at least one seat")
				.max(MAX_SEATS, `must have at most ${MAX_SEATS} seats`)
				.superRefine(checkRepeated<NewSeat>(({ seat }) => seat)),
			queue: Queue.optional()
		}),
		result: Show,
		example: {
			params: {
				name: exampleShow.name,
				startsAt: exampleShow.startsAt,
				seats: [exampleSeats[0]!, "A2"],
				queue: exampleQueue
			},
			result: exampleShow
		},
		who: "admin",
		rest: "POST /api/shows",
		status: 201,
		maxBody: MAX_SHOW_BODY,
		cost: params => Math.max(1, Math.ceil(listed((params as { seats?: unknown }).seats) / NEW_SEATS_PER_REQUEST))
	}),
	"seats.shows": action({
		summary: "Lists the shows, the newest first",
		params: Page,
		result: z.array(Show),
		example: { params: {}, result: [exampleShow] },
		who: "anyone",
		rest: "GET /api/shows"
	}),
	"seats.show": action({
		summary: "Returns one show",
		params: byID,
		result: Show,
		errors: ["NOT_FOUND"],
		example: { params: { id: exampleShow.showId }, result: exampleShow },
		who: "anyone",
		rest: "GET /api/shows/:id"
	}),
	/** All seats in the order in which the show lists them. A held seat does not say who holds it. Errors: `NOT_FOUND`, `UNAVAILABLE`. */
	"seats.seats": action({
		summary: "Returns the seat map of a show: which seats are free, held and sold",
		params: byID,
		result: SeatMap,
		errors: ["NOT_FOUND"],
		example: {
			params: { id: exampleShow.showId },
			result: { showId: exampleShow.showId, version: 1, seats: exampleSeats.map(seat => ({ ...seat, status: "held" as const })) }
		},
		who: "anyone",
		rest: "GET /api/shows/:id/seats",
		etag: etagOf
	}),
	/**
	 * Holds all of the seats or none for `HOLD_SECONDS`. With an idempotency key, which belongs to the buyer and the show, a repeated request gets the same
	 * answer while the hold is open or sold. Errors, the first that applies: `NOT_FOUND` (the show; or seats, `data.seats`), 409 `CONFLICT` (the key
	 * belongs to another request: to that of its hold, or to the first of those that come together, even if that one is refused), 409 `HOLD_EXPIRED` (the
	 * hold of this key has ended), 403 `NOT_ADMITTED` (the show has a queue), 409 `TOO_MANY_HOLDS`, 409 `SEATS_TAKEN` (`data.taken`: all of them),
	 * 409 `NOT_ENOUGH_SEATS` (`best`), `UNAVAILABLE`.
	 */
	"seats.hold": action({
		summary: "Holds seats for the caller, for a limited time: named ones, or the best that are free",
		params: z
			.strictObject({
				id: Id,
				seats: z
					.array(Id)
					.min(1, "must have at least one seat")
					.max(MAX_SEATS_OF_HOLD, `must have at most ${MAX_SEATS_OF_HOLD} seats`)
					.superRefine(checkRepeated<string>(seat => seat))
					.optional(),
				best: z.strictObject({ count: z.int().min(1).max(MAX_SEATS_OF_HOLD), category: Category.optional() }).optional(),
				idempotencyKey: Id.optional()
			})
			.refine(({ seats, best }) => (seats === undefined) !== (best === undefined), {
				path: ["seats"],
				message: "give either seats or best"
			}),
		result: Hold,
		errors: ["NOT_FOUND", "CONFLICT", ...Object.values(ERRORS)],
		example: { params: { id: exampleShow.showId, seats: exampleHold.seats }, result: exampleHold },
		who: "account",
		rest: "POST /api/shows/:id/holds",
		restHeaders: { "idempotency-key": "idempotencyKey" },
		status: 201,
		cost: params => {
			const { seats, best } = params as { seats?: unknown; best?: unknown };
			if (best) return BEST_COST;
			return Math.max(1, Math.ceil(Math.min(listed(seats), MAX_SEATS_OF_HOLD) / SEATS_PER_REQUEST));
		}
	}),
	/** Sells what is held, once; again it gets the same answer. Errors: `NOT_FOUND` (also for another buyer's hold), 409 `HOLD_EXPIRED`, `UNAVAILABLE`. */
	"seats.confirm": action({
		summary: "Sells the seats of a hold to its buyer",
		params: byID,
		result: Sold,
		errors: ["NOT_FOUND", ERRORS.HOLD_EXPIRED],
		example: { params: { id: exampleHold.holdId }, result: exampleSold },
		who: "account",
		rest: "POST /api/holds/:id/confirm"
	}),
	/** Frees what is held; a hold that has ended stays so. Errors: `NOT_FOUND` (also for another buyer's hold), `CONFLICT` (it is sold), `UNAVAILABLE`. */
	"seats.release": action({
		summary: "Releases a hold: its seats are free at once",
		params: byID,
		result: z.null(),
		errors: ["NOT_FOUND", "CONFLICT"],
		example: { params: { id: exampleHold.holdId }, result: null },
		who: "account",
		rest: "DELETE /api/holds/:id",
		status: 204
	}),
	"seats.holds": action({
		summary: "Lists the caller's open holds, the newest first",
		params: Page,
		result: z.array(Hold),
		example: { params: {}, result: [exampleHold] },
		who: "account",
		rest: "GET /api/holds"
	}),
	/** One place an account, however often it asks. A show without a queue admits everyone. Errors: `NOT_FOUND`, `UNAVAILABLE`. */
	"seats.join": action({
		summary: "Joins the queue of a show, or returns the caller's place in it",
		params: byID,
		result: Place,
		errors: ["NOT_FOUND"],
		example: {
			params: { id: exampleShow.showId },
			result: { state: "waiting", ahead: 120, until: "2026-01-31T12:00:03.000Z" }
		},
		who: "account",
		rest: "POST /api/shows/:id/queue"
	})
};

/** `subscribe:seats` `{showId}`: the map, and then its changes. */
const mapSubscription = roomSubscription("seats", actions, "seats.seats", {
	data: z.strictObject({ showId: Id }),
	params: ({ showId }) => ({ id: showId }),
	room: ({ showId }: { showId: string }) => `show:${showId}`,
	versionOf: ({ version }: { version: number }) => version
});

export const topics = {
	"seats.updated": topic({
		message: SeatsUpdated,
		key: ({ showId }) => showId,
		// A foreign record may have a version that numbers nothing: it is sent at once.
		change: ({ showId, version }) => (version >= 1 ? { key: `seats:${showId}`, seq: version } : undefined),
		deliveries: [{ to: { subscribersOf: mapSubscription }, event: "seats:updated" }]
	}),
	"hold.expired": topic({
		message: HoldExpired,
		key: ({ holdId }) => holdId,
		deliveries: [
			{
				to: { user: ({ buyerId }) => buyerId },
				event: "hold:expired",
				payload: ({ holdId, showId, seats }) => ({ holdId, showId, seats })
			}
		]
	}),
	"queue.updated": topic({
		message: QueueUpdated,
		key: ({ userId }) => userId,
		deliveries: [
			{
				to: { user: ({ userId }) => userId },
				event: "queue:updated",
				payload: ({ userId: _, ...place }) => place
			}
		]
	})
};

export type Show = z.output<typeof Show>;
export type Seat = z.output<typeof Seat>;
export type SeatStatus = z.output<typeof SeatStatus>;
export type SeatMap = z.output<typeof SeatMap>;
export type Hold = z.output<typeof Hold>;
export type Sold = z.output<typeof Sold>;
export type Place = z.output<typeof Place>;
export type NewSeat = z.output<typeof NewSeat>;
export type Queue = z.output<typeof Queue>;
