// Where the Better Auth of the tests keeps its tables: in a file of SQLite, or in PostgreSQL.
//
// Each gives `database`, as Better Auth is given it; `watched(...)`, the same for a process that ends at a statement;
// `run(sql, values)`, with a `?` for each value; and `rows(sql)`.

import { DatabaseSync } from "node:sqlite";

import { NodeSqliteDialect } from "@better-auth/kysely-adapter/node-sqlite-dialect";
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";

/** @param where the path of a file, or a URL of PostgreSQL. */
export function openDatabase(where, { transactions }) {
  return where.startsWith("postgresql://") ? postgres(where, transactions) : sqlite(where, transactions);
}

function sqlite(file, transaction) {
  const database = new DatabaseSync(file);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 30000");
  const over = (one) => ({
    db: new Kysely({ dialect: new NodeSqliteDialect({ database: one }) }),
    type: "sqlite",
    transaction,
  });
  return {
    database: over(database),
    watched: (wanted, atOnce) => over(endingSqlite(database, end(wanted, atOnce))),
    run: async (sql, values) => database.prepare(sql).run(...values),
    rows: async (sql) => database.prepare(sql).all(),
  };
}

function postgres(url, transaction) {
  const open = () => new pg.Pool({ connectionString: url });
  // As its users give it; without transactions it takes more words.
  const over = (pool) =>
    transaction ? pool : { db: new Kysely({ dialect: new PostgresDialect({ pool }) }), type: "postgres", transaction };
  const pool = open();
  return {
    database: over(pool),
    watched: (wanted, atOnce) => over(endingPostgres(open(), () => end(wanted, atOnce))),
    run: async (sql, values) => {
      let number = 0;
      await pool.query(sql.replace(/\?/g, () => `$${++number}`), values);
    },
    rows: async (sql) => (await pool.query(sql)).rows,
  };
}

/** To be told of each statement of a connection that was run: ends this process at the one that is wanted. */
function end(wanted, atOnce) {
  let inside = false;
  let met = false;
  return (sql) => {
    if (/^begin/i.test(sql)) inside = true;
    if (/^(commit|rollback)/i.test(sql)) inside = false;
    if (wanted.test(sql)) met = true;
    if (met && (atOnce || !inside)) process.kill(process.pid, "SIGKILL");
  };
}

function endingSqlite(database, after) {
  return {
    prepare(sql) {
      const statement = database.prepare(sql);
      const ran = (result) => (after(sql), result);
      return {
        columns: () => statement.columns(),
        all: (...values) => ran(statement.all(...values)),
        run: (...values) => ran(statement.run(...values)),
      };
    },
    close: () => database.close(),
  };
}

function endingPostgres(pool, watch) {
  pool.on("connect", (client) => {
    const after = watch();
    const query = client.query.bind(client);
    client.query = async (sql, values) => {
      const result = await query(sql, values);
      after(sql);
      return result;
    };
  });
  return pool;
}
