/** As told to the controller and shown by `describe node`. */
export const agentVersion = '0.1.0';
