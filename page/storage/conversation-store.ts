import type { Conversation, ConversationSummary } from '../conversation/types.js';

/** Conversations that are kept; the one that was unchanged longest makes room for a new one. */
export const mostConversations = 500;

/** Where conversations live. */
export interface ConversationStore {
  /** False where the browser forgets everything with the page, as some do in private windows. */
  readonly isLasting: boolean;
  list(): Promise<ConversationSummary[]>;
  read(id: string): Promise<Conversation | undefined>;
  write(conversation: Conversation): Promise<void>;
  remove(ids: readonly string[]): Promise<void>;
}

const databaseName = 'llama-native';
const summaries = 'summaries';
const conversations = 'conversations';

/** The part of a conversation that its entry in the list is made of. */
export function toSummary(conversation: Conversation): ConversationSummary {
  const { id, title, hasOwnTitle, createdMs, updatedMs } = conversation;
  return { id, title, hasOwnTitle, createdMs, updatedMs };
}

function settle<Result>(asked: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

function finish(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

async function openDatabase(): Promise<IDBDatabase> {
  const asked = indexedDB.open(databaseName, 1);
  asked.onupgradeneeded = () => {
    asked.result.createObjectStore(summaries, { keyPath: 'id' });
    asked.result.createObjectStore(conversations, { keyPath: 'id' });
  };
  return settle(asked);
}

class DatabaseStore implements ConversationStore {
  readonly isLasting = true;
  readonly #database: IDBDatabase;

  constructor(database: IDBDatabase) {
    this.#database = database;
    // Another tab with a newer page wants to change the database.
    database.onversionchange = () => database.close();
  }

  list(): Promise<ConversationSummary[]> {
    return settle(this.#database.transaction(summaries).objectStore(summaries).getAll());
  }

  read(id: string): Promise<Conversation | undefined> {
    return settle(this.#database.transaction(conversations).objectStore(conversations).get(id));
  }

  async write(conversation: Conversation): Promise<void> {
    const transaction = this.#change();
    transaction.objectStore(summaries).put(toSummary(conversation));
    transaction.objectStore(conversations).put(conversation);
    await finish(transaction);
  }

  async remove(ids: readonly string[]): Promise<void> {
    const transaction = this.#change();
    for (const id of ids) {
      transaction.objectStore(summaries).delete(id);
      transaction.objectStore(conversations).delete(id);
    }
    await finish(transaction);
  }

  #change(): IDBTransaction {
    return this.#database.transaction([summaries, conversations], 'readwrite');
  }
}

/** For browsers that keep nothing. */
class MemoryStore implements ConversationStore {
  readonly isLasting = false;
  readonly #kept = new Map<string, Conversation>();

  async list(): Promise<ConversationSummary[]> {
    return [...this.#kept.values()].map(toSummary);
  }

  async read(id: string): Promise<Conversation | undefined> {
    return this.#kept.get(id);
  }

  async write(conversation: Conversation): Promise<void> {
    this.#kept.set(conversation.id, conversation);
  }

  async remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#kept.delete(id);
  }
}

/** Opens the browser's database, or memory if there is none. */
export async function openConversationStore(): Promise<ConversationStore> {
  try {
    return new DatabaseStore(await openDatabase());
  } catch {
    return new MemoryStore();
  }
}
