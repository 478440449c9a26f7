import { ApiError } from '../api/client.js'
import { useApp } from '../state/app.js'
import { wordsFor } from '../texts/problems.js'

/** @returns a function that makes a change, and says what has come of it, or why nothing has; it answers whether it was made */
export function useTold(): (change: () => Promise<string>) => Promise<boolean> {
  const { toasts } = useApp()
  return async change => {
    try {
      toasts.say(await change())
      return true
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      toasts.say(wordsFor(error.code, error.detail))
      return false
    }
  }
}
