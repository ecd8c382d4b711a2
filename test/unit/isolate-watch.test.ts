import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CallTable, type PendingCall } from '../../lib/isolate/call-table.js';
import { Heartbeat } from '../../lib/isolate/heartbeat.js';
import { LogTail } from '../../lib/isolate/log-tail.js';
import type { EngineMethod } from '../../lib/isolate/protocol.js';
import { RestartPolicy } from '../../lib/isolate/restart-policy.js';

function pending(method: EngineMethod): PendingCall {
  return { method, resolve: () => {}, reject: () => {} };
}

function finish(id: number, reason: string) {
  return { generations: [{ id, text: '', tokens: [], finish: { reason } }] } as never;
}

describe('a heartbeat', () => {
  let pings: number;
  let hung: number;
  let answers: boolean;
  let progress: number;
  let working: boolean;
  let table: CallTable;
  let heartbeat: Heartbeat;

  beforeEach(() => {
    vi.useFakeTimers();
    [pings, hung, progress, answers, working] = [0, 0, 0, true, true];
    table = new CallTable();
    heartbeat = new Heartbeat(
      {
        ping: () => {
          pings++;
          if (answers) heartbeat.pong(progress, 1000);
        },
        countBeat: (limit) => table.countBeat(limit),
        expectsProgress: () => working,
        onHang: () => hung++,
        onMemory: () => {},
      },
      1000,
    );
    heartbeat.start();
  });

  afterEach(() => {
    heartbeat.stop();
    vi.useRealTimers();
  });

  it('finds an engine that does not answer', () => {
    answers = false;
    working = false;
    vi.advanceTimersByTime(900);
    expect(hung).toBe(0);
    vi.advanceTimersByTime(300);
    expect(hung).toBe(1);
    vi.advanceTimersByTime(5000);
    expect(hung).toBe(1);
  });

  it('finds an engine that answers and stands still over its work', () => {
    vi.advanceTimersByTime(900);
    expect(hung).toBe(0);
    vi.advanceTimersByTime(300);
    expect(hung).toBe(1);
  });

  it('lets an engine be that goes on, or tells something, or has nothing to do', () => {
    for (let beat = 0; beat < 50; beat++) {
      progress++;
      vi.advanceTimersByTime(100);
    }
    for (let beat = 0; beat < 50; beat++) {
      heartbeat.notice();
      vi.advanceTimersByTime(100);
    }
    working = false;
    vi.advanceTimersByTime(10_000);
    expect(hung).toBe(0);
    expect(pings).toBeGreaterThan(100);
  });

  it('finds a task that does not end beside a loop that goes on', () => {
    table.add(pending('parseChat'));
    for (let beat = 0; beat < 9; beat++) {
      progress++;
      vi.advanceTimersByTime(100);
    }
    expect(hung).toBe(0);
    for (let beat = 0; beat < 4; beat++) {
      progress++;
      vi.advanceTimersByTime(100);
    }
    expect(hung).toBe(1);
  });

  it('gives a load ten times as long', () => {
    working = false;
    table.add(pending('loadModel'));
    vi.advanceTimersByTime(9900);
    expect(hung).toBe(0);
    vi.advanceTimersByTime(400);
    expect(hung).toBe(1);
  });
});

describe('calls in flight', () => {
  it('expect progress, except while the engine waits for this side', () => {
    const table = new CallTable();
    expect(table.expectsProgress()).toBe(false);
    table.startGeneration(1, 7, 1, new Int32Array(3));
    expect(table.expectsProgress()).toBe(true);
    table.follow(1, { generations: [], logits: [{ id: 7 }] } as never);
    expect(table.expectsProgress()).toBe(false);
    table.providedLogits(1, 7);
    expect(table.expectsProgress()).toBe(true);
    table.follow(1, finish(7, 'stop'));
    expect(table.idle).toBe(true);
  });

  it('tell which generations ended with something made', () => {
    const table = new CallTable();
    for (const id of [1, 2, 3]) table.startGeneration(1, id, id, new Int32Array());
    expect(table.follow(1, finish(1, 'failed'))).toBe(false);
    expect(table.follow(1, finish(2, 'cancelled'))).toBe(false);
    expect(table.follow(1, finish(3, 'length'))).toBe(true);
  });

  it('count a generation as accepted once anything is heard of it', () => {
    for (const events of [finish(5, 'failed'), { generations: [], logits: [{ id: 5 }] } as never]) {
      const table = new CallTable();
      let accepted = 0;
      const call = table.add({ ...pending('submitGeneration'), resolve: () => accepted++ });
      table.startGeneration(1, 5, call, new Int32Array(3));
      table.follow(1, finish(6, 'stop'));
      expect(accepted).toBe(0);
      table.follow(1, events);
      table.follow(1, events);
      expect(accepted).toBe(1);
      expect(table.get(call)).toBeUndefined();
    }
  });

  it('are only stuck when nothing else is in flight, and after a time', async () => {
    const table = new CallTable();
    table.add(pending('applyChatTemplate'));
    expect(table.onlyStuck('applyChatTemplate', 60_000)).toBe(false);
    expect(table.onlyStuck('applyChatTemplate', 0)).toBe(true);
    const other = table.add(pending('tokenize'));
    expect(table.onlyStuck('applyChatTemplate', 0)).toBe(false);
    table.take(other);
    table.startGeneration(1, 1, 3, new Int32Array());
    expect(table.onlyStuck('applyChatTemplate', 0)).toBe(false);
    table.endGeneration(1, 1);
    expect(table.onlyStuck('applyChatTemplate', 0)).toBe(true);
  });

  it('tell of prompts only when asked to', () => {
    const error = Object.assign(new Error('gone')) as never;
    for (const withPrompts of [false, true]) {
      const table = new CallTable();
      let failed: unknown;
      table.add({ ...pending('embed'), reject: (reason) => (failed = reason) });
      table.startGeneration(1, 2, 2, Int32Array.from([4, 5]));
      const interrupted = table.failAll(error, withPrompts);
      expect(interrupted.map(({ method }) => method)).toEqual(['embed', 'submitGeneration']);
      expect(interrupted[1]?.promptTokens).toEqual(withPrompts ? Int32Array.from([4, 5]) : undefined);
      expect(failed).toBe(error);
      expect(table.idle).toBe(true);
    }
  });
});

describe('the policy of restarts', () => {
  it('starts at once after a first crash, then waits longer and longer', () => {
    const policy = new RestartPolicy(10);
    const delays = [];
    for (let crash = 0; crash < 9; crash++) {
      policy.crashed(1000);
      delays.push(policy.delayMs(1000));
    }
    expect(delays).toEqual([0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000]);
  });

  it('counts the time that has passed anyway', () => {
    const policy = new RestartPolicy(10);
    policy.crashed(0);
    policy.crashed(0);
    expect(policy.delayMs(60)).toBe(40);
    expect(policy.delayMs(500)).toBe(0);
  });

  it('forgets crashes when something was evaluated', () => {
    const policy = new RestartPolicy(3);
    for (let crash = 0; crash < 50; crash++) {
      policy.crashed(crash);
      expect(policy.delayMs(crash)).toBe(0);
      policy.worked();
    }
  });

  it('gives up at its limit, and tries once more after a minute', () => {
    const policy = new RestartPolicy(3);
    for (let crash = 0; crash < 3; crash++) policy.crashed(1000);
    expect(policy.delayMs(2000)).toBeUndefined();
    expect(policy.retryAfterMs(2000)).toBe(59_000);
    expect(policy.delayMs(61_000)).toBe(0);
    policy.crashed(61_500);
    expect(policy.delayMs(61_500)).toBeUndefined();
  });
});

describe('the end of a log', () => {
  it('holds the last lines only', () => {
    const tail = new LogTail();
    for (let line = 0; line < 5000; line++) tail.push(`line ${line}\n${line % 3 === 0 ? '\n' : ''}`);
    const lines = tail.lines();
    expect(lines).toHaveLength(50);
    expect(lines.at(-1)).toBe('line 4999');
  });

  it('is bounded where no line ends', () => {
    const tail = new LogTail();
    for (let chunk = 0; chunk < 100; chunk++) tail.push('x'.repeat(10_000));
    expect(tail.lines().join('').length).toBeLessThanOrEqual(16_384);
  });
});
