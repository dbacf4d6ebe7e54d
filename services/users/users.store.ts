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

export interface UserStore {
	/** Undefined if the address has an account already. */
	add(user: NewUser): Promise<User | undefined>;
	byEmail(email: string, address: string): Promise<Account | undefined>;
	byID(id: string): Promise<User | undefined>;
	/** Opens a session with generation 0. */
	openSession(session: Session): Promise<void>;
	/**
	 * Invalidates the refresh token and returns the session's user and the generation of the next token. Undefined if the token is not the newest of
	 * an active session; if it was the newest once, it is being used a second time, and the session is revoked.
	 */
	rotate(refresh: RefreshToken, expiresInMs: number): Promise<{ user: User; generation: number } | undefined>;
	/** Revokes a session; false if it was revoked already. */
	revokeSession(session: string): Promise<boolean>;
	/** The sessions that were revoked within the last `ms`. */
	sessionsRevokedWithin(ms: number): Promise<string[]>;
	/** Deletes at most `most` sessions whose last refresh token has expired; returns how many. */
	deleteExpired(most: number): Promise<number>;
}

/** Leaves time to respond within the 5 s of every request. */
const TIMEOUT_MS = 3_000;

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

export function sqlUsers(db: Knex): UserStore {
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

		async openSession({ id, userID, address, expiresInMs }) {
			await query("insert into sessions (id, user_id, address, expires_at) values (?, ?, ?, now() + ? * interval '1 ms')", [
				id,
				userID,
				address,
				expiresInMs
			]);
		},

		async rotate({ session, generation }, expiresInMs) {
			const [row] = await query<Row & { generation: number }>(
				`update sessions set generation = generation + 1, expires_at = now() + ? * interval '1 ms'
				 from users
				 where sessions.id = ? and generation = ? and revoked_at is null and expires_at > now() and users.id = sessions.user_id
				 returning users.*, generation`,
				[expiresInMs, session, generation]
			);
			if (row) return { user: userOf(row), generation: row.generation };
			await query(
				`update sessions set revoked_at = now(), revoked_because = 'a refresh token was used twice'
				 where id = ? and generation > ? and revoked_at is null`,
				[session, generation]
			);
			return undefined;
		},

		async revokeSession(session) {
			const ended = await query(
				`update sessions set revoked_at = now(), revoked_because = 'signed out' where id = ? and revoked_at is null returning id`,
				[session]
			);
			return ended.length > 0;
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
