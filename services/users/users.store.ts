// Accounts and sessions in Postgres. Every decision that two requests could make concurrently is one statement.
import type { Knex } from "knex";
import type { Role, User } from "./users.contract.ts";
import type { RefreshToken } from "./users.tokens.ts";

export interface NewUser {
	id: string;
	/** Normalised. */
	email: string;
	name: string;
	role: Role;
	passwordHash: string;
}

export interface Session {
	id: string;
	userID: string;
	/** The client address of the sign-in. */
	address: string;
	expiresInMs: number;
}

export interface Account {
	user: User;
	passwordHash: string;
	/** The last session that was opened from this client address. */
	lastSession: string | undefined;
}

/** The successor of a refresh token. */
export interface Rotation {
	user: User;
	generation: number;
	/** When the successor was issued, which a repeated rotation does not change. */
	rotatedAt: Date;
}

export interface UserStore {
	/** Undefined if the address has an account already. */
	add(user: NewUser): Promise<User | undefined>;
	byEmail(email: string, address: string): Promise<Account | undefined>;
	byID(id: string): Promise<User | undefined>;
	/**
	 * Opens a session with generation 0, and revokes those of the same user whose last sign-in or refresh is longest ago, so that `most` stay active.
	 * Returns the revoked ones. Concurrent calls may leave a few more active, until the next call.
	 */
	openSession(session: Session, most: number): Promise<string[]>;
	/**
	 * Replaces the newest refresh token of an active session by the next one. The token before the newest one gets the same successor again within
	 * 10 s of its replacement: the response may have been lost, or two tabs refreshed at once. Any other outdated token may have been stolen: the session
	 * is revoked, and its user is returned. Undefined if the session had ended before.
	 */
	rotate(refresh: RefreshToken, expiresInMs: number): Promise<Rotation | { user?: undefined; revokedUserID: string } | undefined>;
	/** Revokes a session and returns its user; undefined if it had been revoked before. */
	revokeSession(session: string): Promise<string | undefined>;
	/** The sessions that were revoked within the last `ms`. */
	sessionsRevokedWithin(ms: number): Promise<string[]>;
	/** Deletes at most `most` sessions whose last refresh token has expired; returns how many. */
	deleteExpired(most: number): Promise<number>;
}

/** Leaves time to respond within the 5 s of every request. */
const TIMEOUT_MS = 3_000;
/** A refresh token is still accepted for this long after it was replaced: the client may not have got the response. */
const REPEAT_MS = 10_000;

interface Row {
	id: string;
	email: string;
	name: string;
	role: Role;
	password_hash: string;
	created_at: Date;
}

const userOf = ({ id, email, name, role, created_at }: Row): User => ({
	id,
	email,
	name,
	role,
	createdAt: created_at.toISOString()
});

/** `now`: the time at which a rotation happens; by default that of Postgres, which all nodes share. */
export function sqlUsers(db: Knex, now: () => Knex.Raw = () => db.raw("now()")): UserStore {
	const query = async <R>(sql: string, values: unknown[]): Promise<R[]> => {
		try {
			return (await db.raw(sql, values as Knex.Value[]).timeout(TIMEOUT_MS)).rows;
		} catch (error) {
			// knex attaches the values to its timeout error, and errors are logged.
			delete (error as { bindings?: unknown }).bindings;
			throw error;
		}
	};

	return {
		async add({ id, email, name, role, passwordHash }) {
			const [row] = await query<Row>(
				`insert into users (id, email, name, role, password_hash) values (?, ?, ?, ?, ?)
				 on conflict (email) do nothing returning *`,
				[id, email, name, role, passwordHash]
			);
			return row && userOf(row);
		},

		async byEmail(email, address) {
			const [row] = await query<Row & { last_here: string | null }>(
				`select *, (select sessions.id from sessions where user_id = users.id and address = ? order by sessions.created_at desc limit 1) as last_here
				 from users where email = ?`,
				[address, email]
			);
			return row && { user: userOf(row), passwordHash: row.password_hash, lastSession: row.last_here ?? undefined };
		},

		async byID(id) {
			const [row] = await query<Row>("select * from users where id = ?", [id]);
			return row && userOf(row);
		},

		async openSession({ id, userID, address, expiresInMs }, most) {
			const revoked = await query<{ id: string }>(
				`with opened as (
					insert into sessions (id, user_id, address, expires_at) values (?, ?, ?, now() + ? * interval '1 ms')
				), surplus as (
					select id from sessions where user_id = ? and revoked_at is null and expires_at > now()
					order by coalesce(rotated_at, created_at) desc offset ?
				)
				update sessions set revoked_at = now(), revoked_because = 'newer sign-ins' where id in (select id from surplus) returning id`,
				[id, userID, address, expiresInMs, userID, most - 1]
			);
			return revoked.map(session => session.id);
		},

		async rotate({ session, generation }, expiresInMs) {
			type Rotated = Row & { generation: number; rotated_at: Date };
			const toRotation = (row: Rotated) => ({ user: userOf(row), generation: row.generation, rotatedAt: row.rotated_at });
			const [next] = await query<Rotated>(
				`update sessions set generation = generation + 1, rotated_at = ?, expires_at = now() + ? * interval '1 ms'
				 from users
				 where sessions.id = ? and generation = ? and revoked_at is null and expires_at > now() and users.id = sessions.user_id
				 returning users.*, generation, rotated_at`,
				[now(), expiresInMs, session, generation]
			);
			if (next) return toRotation(next);
			const [repeated] = await query<Rotated>(
				`select users.*, generation, rotated_at from sessions join users on users.id = sessions.user_id
				 where sessions.id = ? and generation = ? + 1 and rotated_at >= ? - ? * interval '1 ms' and revoked_at is null and expires_at > now()`,
				[session, generation, now(), REPEAT_MS]
			);
			if (repeated) return toRotation(repeated);
			const [revoked] = await query<{ user_id: string }>(
				`update sessions set revoked_at = now(), revoked_because = 'a refresh token was reused'
				 where id = ? and generation > ? and revoked_at is null returning user_id`,
				[session, generation]
			);
			return revoked && { revokedUserID: revoked.user_id };
		},

		async revokeSession(session) {
			const [revoked] = await query<{ user_id: string }>(
				`update sessions set revoked_at = now(), revoked_because = 'signed out' where id = ? and revoked_at is null returning user_id`,
				[session]
			);
			return revoked?.user_id;
		},

		async sessionsRevokedWithin(ms) {
			const ended = await query<{ id: string }>("select id from sessions where revoked_at > now() - ? * interval '1 ms'", [ms]);
			return ended.map(({ id }) => id);
		},

		async deleteExpired(most) {
			const swept = await query(
				"delete from sessions where id in (select id from sessions where expires_at < now() limit ?) returning id",
				[most]
			);
			return swept.length;
		}
	};
}
