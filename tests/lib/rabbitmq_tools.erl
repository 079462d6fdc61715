%% RabbitMQ's command line tool, kept running: one Erlang machine carries out one command line after the other.
%%
%% tests/lib/rabbitmq_tools.py lets RabbitMQ's own script start the machine with this module in front, which takes command
%% lines from a socket instead of the one of the script. What the tool says goes to devices of its own each time; how it
%% exits is the reason its process ends with. When the socket closes, the machine ends.
-module(rabbitmq_tools).
-export([start/1]).

start([Port]) ->
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, list_to_integer(Port), [binary, {packet, 4}, {active, false}]),
    {ok, _} = application:ensure_all_started(elixir),
    {ok, _} = application:ensure_all_started(rabbitmqctl),
    serve(Socket).

serve(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Line} ->
            ok = gen_tcp:send(Socket, carry_out(binary:split(Line, <<0>>, [global]))),
            serve(Socket);
        {error, closed} ->
            halt()
    end.

carry_out(Words) ->
    {ok, Output} = 'Elixir.StringIO':open(<<>>),
    {ok, Complaints} = 'Elixir.StringIO':open(<<>>),
    Terminal = whereis(standard_error),
    true = unregister(standard_error),
    true = register(standard_error, Complaints),
    {Pid, Reference} = spawn_monitor(fun() ->
        group_leader(Output, self()),
        'Elixir.RabbitMQCtl':main(Words)
    end),
    Code = receive {'DOWN', Reference, process, Pid, Reason} -> exit_code(Reason) end,
    true = unregister(standard_error),
    true = register(standard_error, Terminal),
    [integer_to_binary(Code), $\s, said(Output), $\s, said(Complaints)].

exit_code(normal) -> 0;
exit_code({shutdown, Code}) when is_integer(Code) -> Code;
exit_code(_) -> 1.

said(Device) ->
    {ok, {_, Text}} = 'Elixir.StringIO':close(Device),
    base64:encode(Text).
